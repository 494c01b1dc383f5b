"use strict";
/* Currents by kind, sampled as noble/stimuli samples them; and the lines of Python that make the same. */
const Stimuli = (() => {
  const EDGE_MS = 1e-9;
  const LATTICE_MS = 0.02;
  const USUAL_RHEOBASE_NA = 0.15;

  const start = { name: "start_ms", label: "Start", unit: "ms", step: 1 };
  const stop = { name: "stop_ms", label: "Stop", unit: "ms", step: 1 };
  /* Currents begin at so many rheobases; their sliders reach as far as the operator has learned. */
  const amplitude = (name, label, rheobases) => ({ name, label, unit: "nA", step: 0.005, rheobases });

  /* What each kind asks for, what it starts with, and its current as a function of the time since its start. */
  const KINDS = {
    step: {
      label: "Step",
      python: "Step",
      scope: "Step",
      fields: [amplitude("amplitude_na", "Amplitude", 1.6), start, stop],
      inside: (p) => () => p.amplitude_na,
    },
    noise: {
      label: "Noise",
      python: null,
      scope: "OrnsteinUhlenbeck",
      fields: [
        amplitude("mean_na", "Mean", 1.2),
        { ...amplitude("sd_na", "Deviation", 0.5), least: 0 },
        { name: "tau_ms", label: "Correlation time", unit: "ms", step: 0.5, range: [0.5, 50], value: 3 },
        { name: "seed", label: "Seed", unit: "", step: 1, range: [0, 99], value: 1 },
        start,
        stop,
      ],
      inside: noise,
    },
    ramp: {
      label: "Ramp",
      python: "Ramp",
      scope: "Ramp",
      fields: [amplitude("start_na", "From", 0), amplitude("stop_na", "To", 3), start, stop],
      inside: (p) => (since) => p.start_na + ((p.stop_na - p.start_na) * since) / (p.stop_ms - p.start_ms),
    },
    chirp: {
      label: "Chirp",
      python: "Chirp",
      scope: "Chirp",
      fields: [
        amplitude("amplitude_na", "Amplitude", 0.6),
        amplitude("offset_na", "Offset", 1.2),
        { name: "f0_hz", label: "From", unit: "Hz", step: 1, range: [1, 200], value: 2 },
        { name: "f1_hz", label: "To", unit: "Hz", step: 1, range: [1, 400], value: 60 },
        start,
        stop,
      ],
      inside: (p) => (since) => {
        const seconds = since / 1e3;
        const sweep = (p.f1_hz - p.f0_hz) / ((p.stop_ms - p.start_ms) / 1e3);
        return (
          p.offset_na + p.amplitude_na * Math.sin(2 * Math.PI * (p.f0_hz * seconds + 0.5 * sweep * seconds * seconds))
        );
      },
    },
    pulses: {
      label: "Pulses",
      python: "PulseTrain",
      scope: "PulseTrain",
      fields: [
        amplitude("amplitude_na", "Amplitude", 5),
        { name: "width_ms", label: "Width", unit: "ms", step: 0.5, range: [0.5, 50], value: 4 },
        { name: "interval_ms", label: "Interval", unit: "ms", step: 1, range: [2, 200], value: 40 },
        start,
        stop,
      ],
      inside: (p) => (since) => {
        const from = since + EDGE_MS;
        return from - Math.floor(from / p.interval_ms) * p.interval_ms < p.width_ms ? p.amplitude_na : 0;
      },
    },
    drawn: { label: "Draw", python: null, scope: null, fields: [] },
    recorded: { label: "Recorded", python: null, scope: null, fields: [] },
  };

  /** What is typical of an operator's currents: rheobase, and range, nA. */
  function measureOf(told) {
    const column = told.features.findIndex((feature) => feature.name === "rheobase");
    const rheobase = column >= 0 && told.family ? Math.abs(told.family.mean[column]) : USUAL_RHEOBASE_NA;
    const { lowestNa, highestNa } = told.scope ?? { lowestNa: -2 * rheobase, highestNa: 6 * rheobase };
    return { rheobase, range: [lowestNa, Math.max(highestNa, 2 * rheobase)] };
  }

  /** Lowest and highest value of a field's slider. */
  function rangeOf(field, told, windowMs) {
    if (field.rheobases !== undefined) {
      const [low, high] = measureOf(told).range;
      return [field.least ?? low, high];
    }
    return field.name === "stop_ms" || field.name === "start_ms" ? [0, Math.floor(windowMs)] : field.range;
  }

  /** The current of a kind as the page starts with it. */
  function first(kind, told) {
    const { rheobase } = measureOf(told);
    const { durationMs } = told.window;
    const { fields } = KINDS[kind];
    const numbers = Object.fromEntries(
      fields.map(({ name, value, rheobases }) => [
        name,
        rheobases === undefined ? value : Math.round(200 * rheobases * rheobase) / 200,
      ]),
    );
    if (fields.includes(start)) {
      numbers.start_ms = Math.min(15, Math.round(0.1 * durationMs));
      numbers.stop_ms = Math.min(415, Math.round(0.9 * durationMs));
    }
    return { kind, ...numbers };
  }

  /** What is wrong with a current, in one sentence; empty if nothing is. */
  function problem(current) {
    const { fields } = KINDS[current.kind];
    if (!fields.length) return current.values ? "" : "There is no current.";
    for (const field of fields) if (!Number.isFinite(current[field.name])) return `${field.label} is no number.`;
    if (current.start_ms < 0 || current.stop_ms <= current.start_ms)
      return `The current runs from ${current.start_ms} to ${current.stop_ms} ms; it should start at 0 or later, and stop after its start.`;
    if (current.kind === "pulses" && !(current.width_ms > 0 && current.width_ms < current.interval_ms))
      return `Pulses of ${current.width_ms} ms every ${current.interval_ms} ms; the width should be positive and below the interval.`;
    if (current.kind === "noise" && !(current.tau_ms > 0 && current.sd_na >= 0))
      return "The correlation time should be positive, and the deviation not negative.";
    return "";
  }

  /** Samples of a current, nA, `dt` ms apart. Drawn and recorded ones hold values every `dt_ms`, linear between. */
  function sample(current, count, dt) {
    const samples = new Float32Array(count);
    if (current.values) {
      const { values, dt_ms: every } = current;
      for (let index = 0; index < count; index++) {
        const place = (index * dt) / every;
        const left = Math.floor(place + 1e-9);
        if (left >= values.length) break;
        const share = Math.max(place - left, 0);
        samples[index] = values[left] + (left + 1 < values.length ? (values[left + 1] - values[left]) * share : 0);
      }
      return samples;
    }
    const inside = KINDS[current.kind].inside(current);
    for (let index = 0; index < count; index++) {
      const time = index * dt;
      if (time >= current.start_ms - EDGE_MS && time < current.stop_ms - EDGE_MS)
        samples[index] = inside(time - current.start_ms);
    }
    return samples;
  }

  /** Coloured noise; the numbers are not those of numpy, so Python reads it from the exported file. */
  function noise(p) {
    const random = Family.chance(p.seed + 1);
    const count = Math.ceil((p.stop_ms - p.start_ms) / LATTICE_MS) + 2;
    const decay = Math.exp(-LATTICE_MS / p.tau_ms);
    const grown = Math.sqrt(1 - decay * decay);
    const lattice = new Float64Array(count);
    let state = 0;
    for (let index = 0; index < count; index++) {
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      state = index ? decay * state + grown * normal : normal;
      lattice[index] = p.mean_na + p.sd_na * state;
    }
    return (since) => {
      const place = since / LATTICE_MS;
      const left = Math.min(Math.floor(place), count - 2);
      return lattice[left] + (lattice[left + 1] - lattice[left]) * (place - left);
    };
  }

  /** When a current begins and ends, ms; of one without edges, the window. */
  function edges(current, samples, dt) {
    if ("start_ms" in current) return [current.start_ms, Math.min(current.stop_ms, samples.length * dt)];
    return [0, samples.length * dt];
  }

  /** The line of Python that makes the current; null where only the exported samples will do. */
  function python(current) {
    const { python: name, fields } = KINDS[current.kind];
    if (!name) return null;
    const given = [...fields].map((field) => `${field.name}=${current[field.name]}`).join(", ");
    return name === "PulseTrain" ? `noble.stimuli.PulseTrain(${given})` : `noble.${name}(${given})`;
  }

  return { KINDS, edges, first, problem, python, rangeOf, sample };
})();
