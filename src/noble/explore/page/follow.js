"use strict";
/* What follows a moment after the voltage: the F-I curve, that of a held neuron, and the family's spread. */
const Follow = (() => {
  const NEARBY = 24;
  const RADIUS = 0.12;
  /* So many answers make a new curve, or widen the band. */
  const ENOUGH = 7;
  const WIDENED = 8;
  /* Amplitudes of the F-I curve: pA above rheobase, close together where the curve bends; coarse ones first. */
  const ABOVE_PA = [0, 100, 200, 50, 25, 150, 10, 75, 300, 5, 15, 35, -10, 2, 125, 250, -30, 20, 1, 8, 400];
  const WITHOUT_RHEOBASE_NA = Array.from({ length: 20 }, (_, index) => 0.03 * ((index * 7) % 20));

  class Follower {
    /** `curved()` and `spread()` are called whenever there is more to show of one. */
    constructor(bundles, curved, spread) {
      this.helper = new Background.Helper(bundles, (message) => this.heard(message));
      Object.assign(this, { curved, spread });
      this.curve = { key: "", points: [], shown: [], amplitudes: [] };
      this.held = { key: "", shown: [] };
      this.family = { key: "", answers: [], neurons: [], shown: null };
    }

    /** Ask for what depends on something that is new. `scene`: bundle, told, operator, features, held, current, samples, dt. */
    ask(scene, kind) {
      const { bundle, features, dt, held } = scene;
      const key = JSON.stringify([bundle, features]);
      if (this.curve.key !== key) {
        // The old curve stays until the new one has enough points to be one.
        const amplitudes = amplitudesFor(features);
        this.curve = { key, points: [], shown: this.curve.shown, amplitudes };
        this.helper.ask({ kind: "fi", bundle, features, dt, amplitudes, parts: amplitudes.length });
      }
      const heldKey = held ? JSON.stringify([bundle, held.features]) : "";
      if (this.held.key !== heldKey) {
        const known = heldKey === this.curve.key && this.curve.points.length === this.curve.amplitudes.length;
        this.held = { key: heldKey, shown: !held ? [] : known ? [...this.curve.shown] : curveAtOnce(scene) };
      }
      this.askFamily(scene, scene.told.plane ? kind : "none");
    }

    askFamily({ bundle, told, features, current, samples, dt }, kind) {
      const drawn = [...(current.values ?? [])];
      const key = kind === "none" ? "" : JSON.stringify([bundle, kind, kind === "near" && features, current, drawn]);
      if (this.family.key === key) return;
      let neurons = [];
      if (kind === "models") neurons = told.models.features.map((_, place) => Family.model(told, place));
      if (kind === "near") neurons = Family.near(told, features, NEARBY, RADIUS);
      // The spread before stays until there is a new one.
      this.family = { key, neurons, answers: [], shown: key ? this.family.shown : null };
      this.helper.ask({ kind: "family", bundle, neurons, samples, dt, parts: neurons.length });
    }

    heard({ kind, part, result }) {
      if (kind === "fi") {
        const { curve } = this;
        curve.points.push([curve.amplitudes[part], result.rate]);
        if (curve.points.length < Math.min(ENOUGH, curve.amplitudes.length)) return;
        curve.shown = sorted(curve.points);
        this.curved();
        return;
      }
      const { family } = this;
      family.answers.push(result);
      if (family.answers.length !== family.neurons.length && family.answers.length % WIDENED) return;
      const voltages = family.answers.map((answer) => answer.voltage);
      family.shown = { ...bandOf(voltages), trains: family.answers.map((answer) => answer.spikes) };
      this.spread();
    }
  }

  const sorted = (points) => [...points].sort((a, b) => a[0] - b[0]);

  const amplitudesFor = (features) =>
    "rheobase" in features ? ABOVE_PA.map((above) => features.rheobase + 1e-3 * above) : WITHOUT_RHEOBASE_NA;

  /** The F-I curve of a held neuron, without the worker: it is needed once. */
  function curveAtOnce({ operator, held, dt }) {
    const { features } = held;
    return sorted(
      amplitudesFor(features).map((amplitude) => [amplitude, Background.rateAt(operator, features, amplitude, dt)]),
    );
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

  return { Follower };
})();
