"use strict";
/* The page: one state, from which everything that is shown follows. */
const Explorer = (() => {
  const HEIGHTS = { voltage: 330, current: 148, curve: 236 };
  const NEARBY = 24;
  const RADIUS = 0.12;
  /* Amplitudes of the F-I curve: pA above rheobase, close together where the curve bends; coarse ones first. */
  const ABOVE_PA = [0, 100, 200, 50, 25, 150, 10, 75, 300, 5, 15, 35, -10, 2, 125, 250, -30, 20, 1, 8, 400];
  const WITHOUT_RHEOBASE_NA = Array.from({ length: 20 }, (_, index) => 0.03 * ((index * 7) % 20));
  const $ = (id) => document.getElementById(id);

  class App {
    constructor(bundles) {
      this.bundles = bundles;
      this.operators = bundles.map((told) => new Operators.Operator(told));
      this.helper = new Background.Helper(bundles, (message) => this.heard(message));
      this.curve = { features: null, points: new Map(), shown: [] };
      this.heldCurve = [];
      this.family = { key: "", answers: [] };
      const { plot, trains } = Plots.voltage($("voltage-plot"), HEIGHTS.voltage);
      Object.assign(this, { voltagePlot: plot, trains });
      const injected = Plots.current($("current-plot"), HEIGHTS.current);
      this.currentPlot = injected.plot;
      const fi = Plots.fi($("curve-plot"), HEIGHTS.curve, (amplitude) => this.step(amplitude));
      Object.assign(this, { curvePlot: fi.plot, curveMark: fi.mark });
      this.editor = new CurrentEditor.Editor(
        { tabs: $("kinds"), fields: $("fields"), hint: $("hint"), ...injected, box: $("current-plot") },
        (current) => this.change({ current, example: null }), (sentence) => this.fail(sentence));
      this.form = new NeuronForm.Form({ latent: $("latent"), others: $("others"), details: $("details") },
        (name, value) => this.type(name, value));
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
        this.state = { ...State.first(this.bundles), bundle, known: State.typical(told), current: Stimuli.first("step", told) };
        this.open();
      });
      $("map").addEventListener("change", () => this.change({ map: $("map").value }));
      $("spread").addEventListener("change", () => this.change({ spread: $("spread").value }));
      $("examples").addEventListener("change", () => this.example(Number($("examples").value)));
      $("hold").addEventListener("click", () => this.change({ held: { known: { ...this.state.known }, model: this.state.model } }));
      $("let-go").addEventListener("click", () => this.change({ held: null }));
      $("typical").addEventListener("click", () => this.change({ known: this.placed(), model: null, example: null }));
      $("copy-link").addEventListener("click", () => {
        this.writeLink();
        copy(location.href, this.state.current.values?.length > 20000 ? "Link copied, without the recorded current: it is too long" : "Link copied");
      });
      $("save-csv").addEventListener("click", () => Export.save(this.fileName("csv"), new Blob([this.csv()], { type: "text/csv" })));
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
        told.features.length ? `${told.features.length} features` : "", told.scope ? "" : "scope unknown",
      ].filter(Boolean).join(", ");
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
      $("examples").replaceChildren(new Option("choose", -1), ...told.simulated.map((item, index) => new Option(item.label, index)));
      const holding = told.holdingNa ? ` Currents come on top of a holding current of ${Words.pa(told.holdingNa)}.` : "";
      $("facts").textContent = `${told.name} ${told.scope ? `has learned ${told.scope.text}.` : "does not say what it has learned."}${holding} `
        + "The operator runs in this page; nothing is sent anywhere.";
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
      return Object.fromEntries(this.told.plane.features.map((name) => [name, this.state.known[name] ?? this.shown.features[name]]));
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
      return this.change({ example: index, known: { ...item.features }, model: item.place, current: { ...item.current } });
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
      this.background();
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
      const longest = current.kind === "recorded" ? Math.max(durationMs, current.values.length * current.dt_ms) : durationMs;
      return Math.floor(longest / dtMs + 1e-9);
    }

    truth(samples, dt) {
      const item = this.state.example === null || this.state.example === undefined ? null : this.told.simulated[this.state.example];
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

    /** Ask for the F-I curve and the family's spread, if what they depend on is new. */
    background() {
      const { state, told, shown } = this;
      const { features, dt, samples, held } = shown;
      const curveKey = JSON.stringify([state.bundle, features]);
      if (this.curve.key !== curveKey) {
        this.curve = { key: curveKey, points: [], shown: this.curve.shown ?? [], amplitudes: this.amplitudes(features) };
        this.helper.ask({ kind: "fi", bundle: state.bundle, features, dt, amplitudes: this.curve.amplitudes, parts: this.curve.amplitudes.length });
      }
      const heldKey = held ? JSON.stringify([state.bundle, held.features]) : "";
      if (this.heldKey !== heldKey) {
        this.heldKey = heldKey;
        // What was held has just been the neuron, so its curve is known.
        this.heldCurve = held ? [...this.curve.shown] : [];
        if (held && heldKey !== curveKey) this.heldCurve = this.curveAtOnce(held.features);
      }
      const spread = told.plane ? state.spread : "none";
      const key = spread === "none" ? "" : JSON.stringify([state.bundle, spread, spread === "near" ? features : 0, state.current, [...(state.current.values ?? [])]]);
      if (this.family.key === key) return;
      const neurons = spread === "models" ? told.models.features.map((_, place) => Family.model(told, place))
        : spread === "near" ? Family.near(told, features, NEARBY, RADIUS) : [];
      this.family = { key, neurons, answers: [], previous: key ? this.family.band ?? null : null };
      this.helper.ask({ kind: "family", bundle: state.bundle, neurons, samples, dt, parts: neurons.length });
    }

    amplitudes(features) {
      return "rheobase" in features ? ABOVE_PA.map((above) => features.rheobase + 1e-3 * above) : WITHOUT_RHEOBASE_NA;
    }

    /** A few points of the F-I curve without the worker, for a held neuron that a link brings. */
    curveAtOnce(features) {
      const { dt } = this.shown;
      const samples = (amplitude) => Stimuli.sample({ kind: "step", start_ms: 15, stop_ms: 415, amplitude_na: amplitude }, Math.floor(435 / dt), dt);
      return this.amplitudes(features).slice(0, 12).map((amplitude) => {
        const { spikes } = this.operators[this.state.bundle].respond(features, samples(amplitude), dt, false);
        return [amplitude, Measure.rate(spikes, 15, 415)];
      }).sort((a, b) => a[0] - b[0]);
    }

    heard({ kind, part, result }) {
      if (kind === "fi") {
        this.curve.points.push([this.curve.amplitudes[part], result.rate]);
        // The old curve stays until the new one has enough points to be one.
        const enough = this.curve.points.length >= Math.min(7, this.curve.amplitudes.length);
        if (enough) {
          this.curve.shown = [...this.curve.points].sort((a, b) => a[0] - b[0]);
          this.showCurve();
        }
        return;
      }
      this.family.answers.push(result);
      const { answers, neurons } = this.family;
      if (answers.length === neurons.length || answers.length % 8 === 0) {
        this.family.band = bandOf(answers.map((answer) => answer.voltage));
        this.showTraces();
        this.showWords();
      }
    }

    showTraces() {
      const { answer, held, truth, samples, dt } = this.shown;
      const times = Float64Array.from(samples, (_, index) => index * dt);
      const nothing = new Array(samples.length).fill(null);
      const { band, key, answers } = this.family;
      const fitting = key && band && band.low.length === samples.length ? band : null;
      this.trains.rows = key ? answers.map((item) => item.spikes) : [];
      const keep = this.voltagePlot.data[0]?.length === times.length;
      this.voltagePlot.setData([times, fitting?.low ?? nothing, fitting?.high ?? nothing, truth?.answer.voltage ?? nothing,
        held?.answer.voltage ?? nothing, answer.voltage], !keep || !this.zoomed());
      if (keep && this.zoomed()) this.voltagePlot.redraw(true, true);
      this.currentPlot.setData([times, samples], true);
      this.legend(Boolean(fitting));
    }

    zoomed() {
      const { min, max } = this.voltagePlot.scales.x;
      const times = this.voltagePlot.data[0];
      return times.length > 2 && min !== undefined && (min > times[0] + 1e-6 || max < times[times.length - 1] - 1e-6);
    }

    legend(band) {
      const { held, truth } = this.shown;
      const entries = [["neuron-key", "neuron"]];
      if (held) entries.push(["held-key", "held"]);
      if (truth) entries.push(["truth-key", "simulated"]);
      if (band) entries.push(["band-key", `5 to 95 % of ${this.family.answers.length} neurons; rows: their spikes`]);
      $("legend").replaceChildren(...(entries.length > 1 ? entries : []).map(([key, text]) => {
        const item = document.createElement("li");
        item.innerHTML = `<i class="key ${key}"></i>`;
        item.append(text);
        return item;
      }));
    }

    showCurve() {
      const { told, state, shown } = this;
      const points = this.curve.shown;
      const features = told.features.filter((feature) => feature.curve?.quantity === "rate");
      const expected = "rheobase" in shown.features
        ? features.map((feature) => [shown.features.rheobase + 1e-3 * feature.curve.abovePa, shown.features[feature.name]]) : [];
      const rows = [this.heldCurve, points, expected];
      const amplitudes = [...new Set(rows.flat().map(([amplitude]) => amplitude))].sort((a, b) => a - b);
      const column = (pairs) => {
        const known = new Map(pairs);
        return amplitudes.map((amplitude) => known.get(amplitude) ?? null);
      };
      this.curveMark.amplitude = state.current.kind === "step" ? state.current.amplitude_na : null;
      if (amplitudes.length > 1) this.curvePlot.setData([amplitudes, ...rows.map(column)]);
      $("curve-note").textContent = expected.length
        ? "Line: answers to steps of 400 ms. Rings: what the neuron's features say. Click to set the step." : "Answers to steps of 400 ms. Click to set the step.";
    }

    showPlane() {
      const { told, state, shown } = this;
      if (!told.plane) return;
      const at = (features) => told.plane.features.map((name) => features[name]);
      const map = told.maps.find((item) => item.feature === state.map) ?? null;
      $("map").value = map ? map.feature : "";
      $("spread").value = state.spread;
      $("examples").value = state.example ?? -1;
      this.plane.show({ map, neuron: at(shown.features), model: state.model, held: shown.held ? at(shown.held.features) : null,
        spread: state.spread === "near" ? this.family.neurons?.map(at) : null });
      $("scale").hidden = !map;
      if (map) {
        const [low, high] = Plane.range(map);
        $("scale-low").textContent = Words.feature(low).replace("-", "−");
        $("scale-high").textContent = Words.feature(high).replace("-", "−");
        $("scale-unit").textContent = map.unit;
        $("scale-bar").style.background = Colours.gradient();
        $("plane-note").textContent = `${map.label}: at a step of ${Math.round(1e3 * map.amplitudeNa)} pA. Drag the ring, or click a model; outside the models' hull the map is veiled.`;
      }
      const [first, second] = this.plane.axes.map(({ label, unit }, axis) => `${label} ${Words.feature(at(shown.features)[axis])} ${unit}`);
      $("place").textContent = `${first}, ${second}`;
    }

    showWords() {
      const { told, state, shown } = this;
      const { answer, numbers, held, truth, samples, features, dt } = shown;
      const spread = this.family.key && this.family.answers.length ? { counts: this.family.answers.map((item) => item.spikes.length) } : null;
      $("notice").textContent = Words.notice({ answer, numbers, current: state.current, samples, features, held: held?.numbers, spread });
      const doubt = Words.doubts(told, features, state.current, samples, samples.length * dt);
      $("doubt").textContent = doubt;
      $("doubt").hidden = !doubt;
      $("hold").textContent = held ? "Hold this one" : "Hold";
      $("let-go").hidden = !held;
      $("typical").hidden = !told.plane || Object.keys(state.known).every((name) => told.plane.features.includes(name));
      const columns = [["neuron", "neuron-key", numbers], ...(held ? [["held", "held-key", held.numbers]] : []), ...(truth ? [["simulated", "truth-key", truth.numbers]] : [])];
      const rows = [
        ["Spikes", "", (of) => String(of.spikes)], ["Rate", "Hz", (of) => Words.shown(of.rate)], ["Latency", "ms", (of) => Words.shown(of.latency, 2)],
        ["Width", "ms", (of) => Words.shown(of.width, 3)], ["Rest", "mV", (of) => Words.shown(of.rest, 2)],
      ];
      const [head, body] = $("numbers").children;
      head.innerHTML = columns.length > 1 ? `<tr><th></th>${columns.map(([name, key]) => `<th scope="col"><i class="key ${key}"></i><br>${name}</th>`).join("")}</tr>` : "";
      body.innerHTML = rows.map(([name, unit, value]) => `<tr><th scope="row">${name}${unit ? `, ${unit}` : ""}</th>${columns.map(([of, , found]) =>
        `<td class="of-${of}">${value(found)}</td>`).join("")}</tr>`).join("");
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
      return Export.csv(samples, dt, { voltage: answer.voltage, held: held?.answer.voltage, simulated: truth?.answer.voltage });
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

  /** 5th and 95th percentile at every sample. */
  function bandOf(voltages) {
    const count = voltages[0].length;
    const [low, high] = [new Float32Array(count), new Float32Array(count)];
    const column = new Float32Array(voltages.length);
    const at = (share) => {
      const place = share * (column.length - 1);
      const left = Math.floor(place);
      return column[left] + ((column[left + 1] ?? column[left]) - column[left]) * (place - left);
    };
    for (let sample = 0; sample < count; sample++) {
      for (let index = 0; index < voltages.length; index++) column[index] = voltages[index][sample];
      column.sort();
      low[sample] = at(0.05);
      high[sample] = at(0.95);
    }
    return { low, high };
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
