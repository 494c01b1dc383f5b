"use strict";
/* The page: one state, from which everything that is shown follows. */
const Explorer = (() => {
  const HEIGHTS = { voltage: 330, current: 148, curve: 236 };
  const $ = (id) => document.getElementById(id);

  class App {
    constructor(bundles) {
      this.bundles = bundles;
      this.operators = bundles.map((told) => new Operators.Operator(told));
      const spread = () => {
        this.showTraces();
        this.showWords();
      };
      this.follower = new Follow.Follower(bundles, () => this.showCurve(), spread);
      const { plot, trains } = Plots.voltage($("voltage-plot"), HEIGHTS.voltage, (index) => this.read(index));
      Object.assign(this, { voltagePlot: plot, trains });
      const injected = Plots.current($("current-plot"), HEIGHTS.current);
      this.currentPlot = injected.plot;
      const fi = Plots.fi($("curve-plot"), HEIGHTS.curve, (amplitude) => this.step(amplitude));
      Object.assign(this, { curvePlot: fi.plot, curveMark: fi.mark });
      this.editor = new CurrentEditor.Editor(
        { tabs: $("kinds"), fields: $("fields"), hint: $("hint"), ...injected, box: $("current-plot") },
        (current) => this.change({ current, example: null }),
        (sentence) => this.fail(sentence),
      );
      this.form = new NeuronForm.Form(
        { latent: $("latent"), others: $("others"), details: $("details") },
        (name, value) => this.type(name, value),
      );
      this.plane = new Plane.View($("plane"), (values, model) => this.move(values, model));
      this.controls();
      this.restore();
      addEventListener("hashchange", () => this.restore());
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    }

    get told() {
      return this.bundles[this.state.bundle];
    }

    controls() {
      this.bundles.forEach(({ name }, index) => $("bundle").append(new Option(name, index)));
      $("bundle").parentElement.hidden = this.bundles.length === 1;
      $("only").textContent = this.bundles.length === 1 ? this.bundles[0].name : "";
      $("bundle").addEventListener("change", () => {
        const bundle = Number($("bundle").value);
        const told = this.bundles[bundle];
        this.state = {
          ...State.first(this.bundles),
          bundle,
          known: State.typical(told),
          current: Stimuli.first("step", told),
        };
        this.open();
      });
      $("map").addEventListener("change", () => this.change({ map: $("map").value }));
      $("spread").addEventListener("change", () => this.change({ spread: $("spread").value }));
      $("examples").addEventListener("change", () => this.example(Number($("examples").value)));
      $("hold").addEventListener("click", () =>
        this.change({ held: { known: { ...this.state.known }, model: this.state.model } }),
      );
      $("let-go").addEventListener("click", () => this.change({ held: null }));
      $("typical").addEventListener("click", () => this.change({ known: this.placed(), model: null, example: null }));
      $("copy-link").addEventListener("click", () => {
        this.writeLink();
        copy(
          location.href,
          this.state.current.values?.length > 20000
            ? "Link copied, without the recorded current: it is too long"
            : "Link copied",
        );
      });
      $("save-csv").addEventListener("click", () =>
        Export.save(this.fileName("csv"), new Blob([this.csv()], { type: "text/csv" })),
      );
      $("save-picture").addEventListener("click", async () => Export.save(this.fileName("png"), await this.picture()));
      $("show-python").addEventListener("click", () => {
        $("python-lines").textContent = this.python();
        $("python").showModal();
      });
      $("copy-python").addEventListener("click", () => copy($("python-lines").textContent, "Lines copied"));
    }

    /** Take the state of the link, or begin. */
    restore() {
      const text = location.hash.slice(1);
      if (text && text === this.written) return;
      const found = text ? State.read(text, this.bundles) : null;
      this.state = found ?? State.first(this.bundles);
      if (text && !found) say("This link is not of this page; it begins anew.");
      if (found?.lost) say("The link does not carry its recorded current; drop the file again.");
      this.open();
    }

    /** Show another operator. */
    open() {
      const { told } = this;
      $("bundle").value = this.state.bundle;
      $("about").textContent = [
        told.models.features.length && told.features.length ? `${told.models.features.length} models` : "one neuron",
        told.features.length ? `${told.features.length} features` : "",
        told.scope ? "" : "scope unknown",
      ]
        .filter(Boolean)
        .join(", ");
      $("plane-card").hidden = !told.plane;
      $("neuron-card").hidden = !told.features.length;
      document.querySelector("main").classList.toggle("alone", !told.plane);
      $("spread").parentElement.hidden = !told.plane;
      this.form.open(told);
      if (told.plane) this.plane.open(told);
      $("map").replaceChildren(new Option("none", ""), ...told.maps.map((map) => new Option(map.label, map.feature)));
      $("map").parentElement.hidden = !told.maps.length;
      if (this.state.map === null && told.maps.length) this.state.map = told.maps[0].feature;
      $("examples-label").hidden = !told.simulated.length;
      $("examples").replaceChildren(
        new Option("choose", -1),
        ...told.simulated.map((item, index) => new Option(item.label, index)),
      );
      const holding = told.holdingNa
        ? ` Currents come on top of a holding current of ${Words.pa(told.holdingNa)}.`
        : "";
      $("facts").textContent =
        `${told.name} ${told.scope ? `has learned ${told.scope.text}.` : "does not say what it has learned."}${holding} ` +
        "The operator runs in this page; nothing is sent anywhere.";
      this.change({});
    }

    /** Another state; it is shown with the next frame. */
    change(parts) {
      this.state = { ...this.state, ...parts };
      if (parts.current) $("failed").hidden = true;
      this.frame ??= requestAnimationFrame(() => {
        this.frame = null;
        this.render();
      });
    }

    move(values, model) {
      const names = this.told.plane.features;
      if (model !== null) return this.change({ known: Family.model(this.told, model), model, example: null });
      // A model that is left keeps nothing but its place; what was typed stays.
      const kept = this.state.model === null && !this.whole() ? this.state.known : {};
      const moved = Object.fromEntries(names.map((name, axis) => [name, State.rounded(values[axis])]));
      return this.change({ known: { ...kept, ...moved }, model: null, example: null });
    }

    /** The neuron's place in the plane alone. */
    placed() {
      return Object.fromEntries(
        this.told.plane.features.map((name) => [name, this.state.known[name] ?? this.shown.features[name]]),
      );
    }

    whole() {
      return Object.keys(this.state.known).length === this.told.features.length;
    }

    type(name, value) {
      const known = { ...this.state.known };
      if (value === null) delete known[name];
      else known[name] = value;
      this.change({ known, model: null, example: null });
    }

    step(amplitude) {
      const current = this.state.current.kind === "step" ? this.state.current : Stimuli.first("step", this.told);
      this.change({ current: { ...current, amplitude_na: Math.round(1e3 * amplitude) / 1e3 }, example: null });
    }

    example(index) {
      const item = this.told.simulated[index];
      if (!item) return this.change({ example: null });
      return this.change({
        example: index,
        known: { ...item.features },
        model: item.place,
        current: { ...item.current },
      });
    }

    render() {
      const { state, told } = this;
      const problem = Stimuli.problem(state.current);
      if (problem) return this.fail(problem);
      const began = performance.now();
      const dt = told.window.dtMs;
      const samples = Stimuli.sample(state.current, this.count(), dt);
      const features = Family.complete(told, state.known);
      const operator = this.operators[state.bundle];
      const answer = operator.respond(features, samples, dt);
      const numbers = Measure.all(answer, state.current, samples, dt);
      const held = state.held ? { features: Family.complete(told, state.held.known) } : null;
      if (held) {
        held.answer = operator.respond(held.features, samples, dt);
        held.numbers = Measure.all(held.answer, state.current, samples, dt);
      }
      this.shown = { answer, numbers, held, samples, features, dt, truth: this.truth(samples, dt) };
      const { bundle, current, spread } = state;
      this.follower.ask({ ...this.shown, bundle, told, operator, current }, spread);
      this.showTraces();
      this.showCurve();
      this.showPlane();
      this.showWords();
      this.editor.show(state.current, told, samples.length * dt);
      this.form.show(state.known, features);
      this.took = performance.now() - began;
      clearTimeout(this.linking);
      this.linking = setTimeout(() => this.writeLink(), 250);
      return undefined;
    }

    /** Samples of the window: the learned one, or as long as a recorded current is. */
    count() {
      const { dtMs, durationMs } = this.told.window;
      const { current } = this.state;
      const longest =
        current.kind === "recorded" ? Math.max(durationMs, current.values.length * current.dt_ms) : durationMs;
      return Math.floor(longest / dtMs + 1e-9);
    }

    truth(samples, dt) {
      const item =
        this.state.example === null || this.state.example === undefined
          ? null
          : this.told.simulated[this.state.example];
      if (!item) return null;
      const { whole, stepMv, dtMs } = item;
      const voltage = Float32Array.from(samples, (_, index) => {
        const place = (index * dt) / dtMs;
        const left = Math.min(Math.floor(place + 1e-9), whole.length - 2);
        return stepMv * (whole[left] + (whole[left + 1] - whole[left]) * (place - left));
      });
      const answer = { voltage, spikes: Measure.peaks(voltage, dt) };
      return { answer, numbers: Measure.all(answer, this.state.current, samples, dt) };
    }

    showTraces() {
      const { answer, held, truth, samples, dt } = this.shown;
      const times = Float64Array.from(samples, (_, index) => index * dt);
      const nothing = new Array(samples.length).fill(null);
      const spread = this.follower.family.shown;
      const fitting = spread && spread.low.length === samples.length ? spread : null;
      this.trains.rows = fitting ? fitting.trains : [];
      const keep = this.voltagePlot.data[0]?.length === times.length;
      this.voltagePlot.setData(
        [
          times,
          fitting?.low ?? nothing,
          fitting?.high ?? nothing,
          truth?.answer.voltage ?? nothing,
          held?.answer.voltage ?? nothing,
          answer.voltage,
        ],
        !keep || !this.zoomed(),
      );
      if (keep && this.zoomed()) this.voltagePlot.redraw(true, true);
      this.currentPlot.setData([times, samples], true);
      this.legend(fitting);
    }

    zoomed() {
      const { min, max } = this.voltagePlot.scales.x;
      const times = this.voltagePlot.data[0];
      return times.length > 2 && min !== undefined && (min > times[0] + 1e-6 || max < times[times.length - 1] - 1e-6);
    }

    /** Show what the cursor points at. */
    read(index) {
      const there = this.shown && index !== null && index !== undefined && index < this.shown.samples.length;
      $("readout").textContent = there ? Readings.pointed(this.shown, index) : "";
    }

    legend(spread) {
      const { held, truth } = this.shown;
      const entries = [["neuron", "neuron"]];
      if (held) entries.push(["held", "held"]);
      if (truth) entries.push(["truth", "simulated"]);
      if (spread) entries.push(["band", `5 to 95 % of ${spread.trains.length} neurons; rows: their spikes`]);
      Readings.legend($("legend"), entries);
    }

    showCurve() {
      const { told, state, shown } = this;
      const points = this.follower.curve.shown;
      const features = told.features.filter((feature) => feature.curve?.quantity === "rate");
      const expected =
        "rheobase" in shown.features
          ? features.map((feature) => [
              shown.features.rheobase + 1e-3 * feature.curve.abovePa,
              shown.features[feature.name],
            ])
          : [];
      const rows = [this.follower.held.shown, points, expected];
      const amplitudes = [...new Set(rows.flat().map(([amplitude]) => amplitude))].sort((a, b) => a - b);
      const column = (pairs) => {
        const known = new Map(pairs);
        return amplitudes.map((amplitude) => known.get(amplitude) ?? null);
      };
      this.curveMark.amplitude = state.current.kind === "step" ? state.current.amplitude_na : null;
      if (amplitudes.length > 1) this.curvePlot.setData([amplitudes, ...rows.map(column)]);
      $("curve-note").textContent = expected.length
        ? "Line: answers to steps of 400 ms. Rings: what the neuron's features say. Click to set the step."
        : "Answers to steps of 400 ms. Click to set the step.";
    }

    showPlane() {
      const { told, state, shown } = this;
      if (!told.plane) return;
      const at = (features) => told.plane.features.map((name) => features[name]);
      const map = told.maps.find((item) => item.feature === state.map) ?? null;
      $("map").value = map ? map.feature : "";
      $("spread").value = state.spread;
      this.plane.show({
        map,
        neuron: at(shown.features),
        model: state.model,
        held: shown.held ? at(shown.held.features) : null,
        spread: state.spread === "near" ? this.follower.family.neurons.map(at) : null,
      });
      $("scale").hidden = !map;
      if (map) {
        const [low, high] = Plane.range(map);
        $("scale-low").textContent = Words.feature(low).replace("-", "−");
        $("scale-high").textContent = Words.feature(high).replace("-", "−");
        $("scale-unit").textContent = map.unit;
        $("scale-bar").style.background = Colours.gradient();
        $("plane-note").textContent =
          `${map.label}: at a step of ${Math.round(1e3 * map.amplitudeNa)} pA. Drag the ring, or click a model; outside the models' hull the map is veiled.`;
      }
      const [first, second] = this.plane.axes.map(
        ({ label, unit }, axis) => `${label} ${Words.feature(at(shown.features)[axis])} ${unit}`,
      );
      $("place").textContent = `${first}, ${second}`;
    }

    showWords() {
      const { told, state, shown } = this;
      const { answer, numbers, held, truth, samples, features, dt } = shown;
      const trains = this.follower.family.shown?.trains;
      const spread = trains && { counts: trains.map((train) => train.length) };
      $("notice").textContent = Words.notice({
        answer,
        numbers,
        current: state.current,
        samples,
        features,
        held: held?.numbers,
        truth,
        spread,
      });
      const doubt = Words.doubts(told, features, state.current, samples, samples.length * dt);
      $("doubt").textContent = doubt;
      $("doubt").hidden = !doubt;
      $("hold").textContent = held ? "Hold this one" : "Hold";
      $("let-go").hidden = !held;
      $("typical").hidden = !told.plane || Object.keys(state.known).every((name) => told.plane.features.includes(name));
      $("examples").value = state.example ?? -1;
      Readings.table($("numbers"), [
        ["neuron", numbers],
        ...(held ? [["held", held.numbers]] : []),
        ...(truth ? [["simulated", truth.numbers]] : []),
      ]);
    }

    fail(sentence) {
      $("failed").textContent = sentence;
      $("failed").hidden = false;
    }

    redraw() {
      for (const plot of [this.voltagePlot, this.currentPlot, this.curvePlot]) plot.redraw(false, true);
      this.plane.draw();
    }

    writeLink() {
      this.written = State.write(this.state);
      history.replaceState(null, "", `#${this.written}`);
    }

    fileName(ending) {
      return `${this.told.name}-${this.state.current.kind}.${ending}`;
    }

    csv() {
      const { answer, held, truth, samples, dt } = this.shown;
      return Export.csv(samples, dt, {
        voltage: answer.voltage,
        held: held?.answer.voltage,
        simulated: truth?.answer.voltage,
      });
    }

    python() {
      const { samples, dt } = this.shown;
      const { known, current } = this.state;
      return Export.python({ told: this.told, known, current, dt, count: samples.length, file: this.fileName("csv") });
    }

    picture() {
      const canvases = [this.currentPlot, this.voltagePlot].map((plot) => plot.ctx.canvas);
      return Export.picture(canvases, this.told.name, $("notice").textContent);
    }
  }

  async function copy(text, said) {
    try {
      await navigator.clipboard.writeText(text);
      say(said);
    } catch {
      say("Copying is not allowed here; take it from the address bar, or select the text.");
    }
  }

  function say(text) {
    $("toast").textContent = text;
    $("toast").classList.add("shown");
    setTimeout(() => $("toast").classList.remove("shown"), 3000);
  }

  /** The bundles of the page, with what is packed in text unpacked. */
  function bundles() {
    return [...document.querySelectorAll("script.bundle")].map((script) => {
      const told = JSON.parse(script.textContent);
      for (const item of told.simulated) {
        const bytes = Numbers.bytesOf(item.voltage);
        item.whole = new Int16Array(bytes.buffer);
        delete item.voltage;
      }
      return told;
    });
  }

  return new App(bundles());
})();
