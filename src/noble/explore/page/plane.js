"use strict";
/* The latent plane: a map of a feature, the models, their hull, and the neuron that is dragged through it. */
const Plane = (() => {
  const MARGIN = { left: 56, right: 14, top: 12, bottom: 44 };
  const GRABBED = 14;
  const BEYOND = 0.08;

  class View {
    /** `moved(values, model)`: the neuron went to a point of the plane, or onto a model. */
    constructor(canvas, moved) {
      Object.assign(this, { canvas, moved, told: null, shown: {} });
      canvas.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        canvas.setPointerCapture(event.pointerId);
        this.dragging = true;
        this.point(event, true);
        event.preventDefault();
        canvas.focus({ preventScroll: true });
      });
      canvas.addEventListener("pointermove", (event) => (this.dragging ? this.point(event, false) : this.hover(event)));
      for (const end of ["pointerup", "pointercancel"])
        canvas.addEventListener(end, () => {
          this.dragging = false;
        });
      canvas.addEventListener("keydown", (event) => this.key(event));
      new ResizeObserver(() => this.draw()).observe(canvas);
    }

    open(told) {
      this.told = told;
      const names = told.features.map((feature) => feature.name);
      this.columns = told.plane.features.map((name) => names.indexOf(name));
      this.axes = this.columns.map((column) => told.features[column]);
      this.ranges = this.axes.map(({ minimum, maximum }) => {
        const beyond = BEYOND * (maximum - minimum);
        return [minimum - beyond, maximum + beyond];
      });
      this.models = told.models.features.map((row) => this.columns.map((column) => row[column]));
      this.image = null;
    }

    /** Show a map (or none), the neuron, a held one, and neurons of a spread; all as values along the two axes. */
    show(shown) {
      if (shown.map !== this.shown.map) this.image = shown.map ? imageOf(shown.map) : null;
      this.shown = shown;
      this.draw();
    }

    get area() {
      const { clientWidth: width, clientHeight: height } = this.canvas;
      return {
        x: MARGIN.left,
        y: MARGIN.top,
        width: width - MARGIN.left - MARGIN.right,
        height: height - MARGIN.top - MARGIN.bottom,
      };
    }

    /** Where values are on the canvas. */
    place([first, second]) {
      const { x, y, width, height } = this.area;
      const share = (value, [low, high]) => (value - low) / (high - low);
      return [x + share(first, this.ranges[0]) * width, y + (1 - share(second, this.ranges[1])) * height];
    }

    values(event) {
      const box = this.canvas.getBoundingClientRect();
      const { x, y, width, height } = this.area;
      const shares = [(event.clientX - box.left - x) / width, 1 - (event.clientY - box.top - y) / height];
      return shares.map((share, axis) => {
        const [low, high] = this.ranges[axis];
        return low + Numbers.clamp(share, 0, 1) * (high - low);
      });
    }

    nearest(event) {
      const box = this.canvas.getBoundingClientRect();
      let [best, distance] = [null, GRABBED];
      this.models.forEach((model, index) => {
        const [x, y] = this.place(model);
        const apart = Math.hypot(event.clientX - box.left - x, event.clientY - box.top - y);
        if (apart < distance) [best, distance] = [index, apart];
      });
      return best;
    }

    point(event, onto) {
      const model = onto ? this.nearest(event) : null;
      this.moved(model === null ? this.values(event) : this.models[model], model);
    }

    hover(event) {
      const model = this.nearest(event);
      this.canvas.title = model === null ? "" : `model ${this.told.models.numbers[model]}`;
    }

    key(event) {
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!move) return;
      event.preventDefault();
      const size = event.shiftKey ? 0.05 : 0.01;
      this.moved(
        this.shown.neuron.map((value, axis) => {
          const [low, high] = this.ranges[axis];
          return Numbers.clamp(value + move[axis] * size * (high - low), low, high);
        }),
        null,
      );
    }

    draw() {
      const { canvas } = this;
      const { clientWidth: width, clientHeight: height } = canvas;
      if (!this.told || !width || !this.shown.neuron) return;
      const scale = devicePixelRatio || 1;
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      const pen = canvas.getContext("2d");
      pen.scale(scale, scale);
      pen.font = `12px ${Colours.named("font")}`;
      this.drawMap(pen);
      this.drawOutside(pen);
      this.drawAxes(pen);
      this.drawNeurons(pen);
    }

    drawMap(pen) {
      const { x, y, width, height } = this.area;
      pen.fillStyle = Colours.named("well");
      pen.fillRect(x, y, width, height);
      const { map } = this.shown;
      if (!map) return;
      // Values stand at the middles of the image's pixels.
      const [steps, rows] = [map.first.length - 1, map.second.length - 1];
      const half = [(map.first[steps] - map.first[0]) / steps / 2, (map.second[rows] - map.second[0]) / rows / 2];
      const [left, top] = this.place([map.first[0] - half[0], map.second[rows] + half[1]]);
      const [right, bottom] = this.place([map.first[steps] + half[0], map.second[0] - half[1]]);
      pen.save();
      pen.beginPath();
      pen.rect(x, y, width, height);
      pen.clip();
      pen.imageSmoothingEnabled = true;
      pen.imageSmoothingQuality = "high";
      pen.drawImage(this.image, left, top, right - left, bottom - top);
      pen.restore();
    }

    drawOutside(pen) {
      const { x, y, width, height } = this.area;
      const hull = this.told.plane.hull.map((corner) => this.place(corner));
      pen.save();
      pen.beginPath();
      pen.rect(x, y, width, height);
      hull.forEach(([cornerX, cornerY], index) =>
        index ? pen.lineTo(cornerX, cornerY) : pen.moveTo(cornerX, cornerY),
      );
      pen.closePath();
      pen.fillStyle = Colours.named("veil");
      pen.fill("evenodd");
      pen.beginPath();
      hull.forEach(([cornerX, cornerY], index) =>
        index ? pen.lineTo(cornerX, cornerY) : pen.moveTo(cornerX, cornerY),
      );
      pen.closePath();
      pen.strokeStyle = Colours.named("muted");
      pen.lineWidth = 1;
      pen.stroke();
      pen.restore();
    }

    drawAxes(pen) {
      const { x, y, width, height } = this.area;
      pen.strokeStyle = Colours.named("line");
      pen.fillStyle = Colours.named("muted");
      pen.lineWidth = 1;
      pen.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
      pen.textBaseline = "top";
      pen.textAlign = "center";
      for (const value of ticks(this.ranges[0], width / 70)) {
        const [at] = this.place([value, 0]);
        pen.fillText(label(value), at, y + height + 6);
      }
      pen.textBaseline = "middle";
      pen.textAlign = "right";
      for (const value of ticks(this.ranges[1], height / 50))
        pen.fillText(label(value), x - 6, this.place([0, value])[1]);
      pen.fillStyle = Colours.named("ink");
      pen.textAlign = "center";
      pen.textBaseline = "bottom";
      pen.fillText(titled(this.axes[0]), x + width / 2, this.canvas.clientHeight - 4);
      pen.save();
      pen.translate(13, y + height / 2);
      pen.rotate(-Math.PI / 2);
      pen.textBaseline = "middle";
      pen.fillText(titled(this.axes[1]), 0, 0);
      pen.restore();
    }

    drawNeurons(pen) {
      const { neuron, held, spread, model } = this.shown;
      const dot = ([x, y], radius, fill, stroke, width = 1) => {
        pen.beginPath();
        pen.arc(x, y, radius, 0, 2 * Math.PI);
        pen.fillStyle = fill;
        pen.strokeStyle = stroke;
        pen.lineWidth = width;
        if (fill) pen.fill();
        if (stroke) pen.stroke();
      };
      this.models.forEach((values) => dot(this.place(values), 3.2, Colours.named("dot"), Colours.named("dark"), 1.2));
      for (const values of spread ?? []) dot(this.place(values), 2, Colours.named("neuron"), null);
      if (held) {
        const [x, y] = this.place(held);
        pen.beginPath();
        for (const [dx, dy] of [
          [0, -8],
          [8, 0],
          [0, 8],
          [-8, 0],
        ])
          pen.lineTo(x + dx, y + dy);
        pen.closePath();
        pen.lineWidth = 5;
        pen.strokeStyle = Colours.named("dot");
        pen.stroke();
        pen.lineWidth = 2.5;
        pen.strokeStyle = Colours.named("held");
        pen.stroke();
      }
      const at = this.place(neuron);
      dot(at, 9, null, Colours.named("dot"), 6);
      dot(at, 9, null, Colours.named("neuron"), 3);
      dot(at, 2.5, Colours.named("neuron"), Colours.named("paper"), 1);
      if (model !== null && model !== undefined) {
        pen.font = `600 12px ${Colours.named("font")}`;
        const text = `model ${this.told.models.numbers[model]}`;
        const right = at[0] + 16 + pen.measureText(text).width < this.area.x + this.area.width;
        pen.textAlign = right ? "left" : "right";
        pen.textBaseline = "middle";
        pen.lineWidth = 4;
        pen.lineJoin = "round";
        pen.strokeStyle = Colours.named("paper");
        pen.fillStyle = Colours.named("ink");
        const x = at[0] + (right ? 15 : -15);
        pen.strokeText(text, x, at[1]);
        pen.fillText(text, x, at[1]);
      }
    }
  }

  const titled = ({ label: name, unit }) => (unit ? `${name} (${unit})` : name);
  const label = (value) => String(Number(value.toPrecision(6))).replace("-", "−");

  /** Round numbers within a range, about so many. */
  function ticks([low, high], count) {
    const raw = (high - low) / Math.max(count, 2);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
    const found = [];
    for (let value = Math.ceil(low / step) * step; value <= high + 1e-9 * step; value += step) found.push(value);
    return found;
  }

  /** Lowest and highest value of a map within what is shown. */
  function range(map) {
    const known = map.values
      .flat()
      .filter((value) => value !== null)
      .sort((a, b) => a - b);
    if (!known.length) return [0, 1];
    const [low, high] = [known[Math.floor(0.02 * (known.length - 1))], known[Math.ceil(0.98 * (known.length - 1))]];
    return low < high ? [low, high] : [low - 0.5, low + 0.5];
  }

  /** A map as a small picture, north up; what has no value stays empty. */
  function imageOf(map) {
    const [columns, rows] = [map.first.length, map.second.length];
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [columns, rows];
    const pen = canvas.getContext("2d");
    const image = pen.createImageData(columns, rows);
    const [low, high] = range(map);
    map.values.forEach((row, index) =>
      row.forEach((value, column) => {
        if (value === null) return;
        const at = 4 * ((rows - 1 - index) * columns + column);
        image.data.set([...Colours.ofShare((value - low) / (high - low)), 255], at);
      }),
    );
    pen.putImageData(image, 0, 0);
    return canvas;
  }

  return { View, range };
})();
