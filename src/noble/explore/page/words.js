"use strict";
/* Sentences of the page: what to notice, what to doubt, and numbers with their units. */
const Words = (() => {
  const NONE = "–";
  const digits = (value, count) => value.toFixed(count).replace("-", "−");
  const shown = (value, count = 1) =>
    value === null || value === undefined || !Number.isFinite(value) ? NONE : digits(value, count);
  const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const pa = (na) => `${digits(1e3 * na, Math.abs(na) < 0.1 ? 1 : 0)} pA`;

  /** A feature's value with as many digits as matter. */
  function feature(value) {
    if (!Number.isFinite(value)) return "";
    const size = Math.abs(value);
    return String(Number(value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4)));
  }

  /** One sentence on what to notice in an answer. */
  function notice({ answer, numbers, current, samples, features, held, truth, spread }) {
    if (spread && spread.counts.length > 1) return ofSpread(spread.counts);
    if (truth) return ofTruth(answer.spikes, truth.answer.spikes);
    if (held) return ofHeld(numbers, held);
    if (current.kind === "pulses") return ofPulses(numbers.spikes, current);
    const intervals = answer.spikes.slice(1).map((time, index) => time - answer.spikes[index]);
    const above = current.kind === "step" && "rheobase" in features ? current.amplitude_na - features.rheobase : null;
    if (!answer.spikes.length) return silent(answer, current, samples, above);
    if (above !== null && above > 0 && above < 0.015 && numbers.latency !== null)
      return `Only ${pa(above)} above rheobase: the first spike takes ${digits(numbers.latency, 1)} ms to come. Raise the step a little and watch it move.`;
    if (intervals.length > 2) {
      const [first, last] = [intervals[0], intervals[intervals.length - 1]];
      const mean = intervals.reduce((sum, value) => sum + value, 0) / intervals.length;
      const deviation =
        Math.sqrt(intervals.reduce((sum, value) => sum + (value - mean) ** 2, 0) / intervals.length) / mean;
      if (current.kind === "step" && last > 1.15 * first)
        return `It slows down: ${digits(first, 1)} ms between the first two spikes, ${digits(last, 1)} ms between the last two.`;
      if (current.kind === "step" && last < 0.87 * first)
        return `It speeds up: ${digits(first, 1)} ms between the first two spikes, ${digits(last, 1)} ms between the last two.`;
      if (deviation < 0.1) return `It fires like a clock, every ${digits(mean, 1)} ms.`;
      return `Intervals run from ${digits(Math.min(...intervals), 1)} to ${digits(Math.max(...intervals), 1)} ms: spike times follow the current, not a clock.`;
    }
    return `${many(answer.spikes.length, "spike")}${numbers.latency === null ? "" : `, the first ${digits(numbers.latency, 1)} ms after the current begins`}.`;
  }

  function silent(answer, current, samples, above) {
    const largest = samples.reduce((most, value) => Math.max(most, value), 0);
    if (above !== null && current.amplitude_na < 0) {
      const deflection = answer.voltage.reduce((least, value) => Math.min(least, value), Infinity) - answer.voltage[0];
      return `Silent, and pulled down by ${digits(-deflection, 1)} mV; spikes come with currents above rheobase.`;
    }
    if (above !== null)
      return `Silent: this step stays ${pa(-above)} below rheobase. Raise it, or drag the neuron to the left.`;
    return largest > 0
      ? "Silent: this current never drives the neuron to its threshold for long enough."
      : "At rest: no current drives it.";
  }

  function ofPulses(spikes, current) {
    const pulses = Math.ceil((current.stop_ms - current.start_ms) / current.interval_ms - 1e-9);
    if (spikes === pulses) return "Every pulse gives one spike.";
    return `${many(spikes, "spike")} for ${many(pulses, "pulse")}.`;
  }

  function ofHeld(numbers, held) {
    const more = numbers.spikes - held.spikes;
    if (more === 0 && numbers.latency === held.latency && numbers.rate === held.rate)
      return "The same answer as the held neuron's: move the neuron, or type another feature, and compare.";
    const parts = [
      more === 0
        ? "As many spikes as the held neuron"
        : `${many(Math.abs(more), "spike")} ${more > 0 ? "more" : "fewer"} than the held neuron`,
    ];
    if (numbers.latency !== null && held.latency !== null) {
      const later = numbers.latency - held.latency;
      parts.push(`the first ${digits(Math.abs(later), 2)} ms ${later >= 0 ? "later" : "earlier"}`);
    }
    return `${parts.join(", ")}.`;
  }

  function ofTruth(spikes, simulated) {
    if (spikes.length !== simulated.length)
      return `${many(spikes.length, "spike")}, where the simulator has ${simulated.length}.`;
    if (!spikes.length) return "Silent, as the simulator.";
    const apart = spikes.map((time, index) => Math.abs(time - simulated[index])).sort((a, b) => a - b);
    return `Spike for spike as simulated: times differ by ${digits(apart[apart.length >> 1], 2)} ms in the median, by ${digits(apart[apart.length - 1], 2)} ms at most.`;
  }

  function ofSpread(counts) {
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    return least === most
      ? `All ${counts.length} neurons fire ${many(least, "spike")}; the band shows how far their times differ.`
      : `Under the same current, ${counts.length} neurons fire ${least} to ${most} spikes.`;
  }

  /** What to doubt: neuron or current outside what was learned; empty if nothing is. */
  function doubts(told, known, current, samples, durationMs) {
    const found = [];
    if (told.plane) {
      const [first, second] = told.plane.features;
      if (!Family.inside(told, known[first], known[second]))
        found.push("The neuron lies outside the models' hull, where the operator extrapolates.");
    }
    const { scope } = told;
    if (!scope) return found.join(" ");
    let [low, high] = [0, 0];
    for (const value of samples) [low, high] = [Math.min(low, value), Math.max(high, value)];
    if (high > scope.highestNa + 1e-6)
      found.push(
        `The current reaches ${digits(high, 3)} nA; learned were currents up to ${digits(scope.highestNa, 3)} nA.`,
      );
    if (low < scope.lowestNa - 1e-6)
      found.push(
        `The current falls to ${digits(low, 3)} nA; learned were currents down to ${digits(scope.lowestNa, 3)} nA.`,
      );
    const kind = Stimuli.KINDS[current.kind].scope;
    const [start, stop] = Stimuli.edges(current, samples, durationMs / samples.length);
    if (kind && !scope.kinds.includes(kind))
      found.push(`Currents of this kind were not learned (${scope.kinds.join(", ")} were).`);
    else if (scope.stepMs !== null && Math.abs(stop - start - scope.stepMs) > 1)
      found.push(`Learned were steps of ${scope.stepMs} ms only.`);
    if (durationMs > scope.durationMs + 1)
      found.push(
        `The window is ${Math.round(durationMs)} ms long; learned were windows up to ${Math.round(scope.durationMs)} ms.`,
      );
    return found.join(" ");
  }

  return { NONE, digits, doubts, feature, many, notice, pa, shown };
})();
