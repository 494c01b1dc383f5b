"use strict";
/* Numbers of an answer: as noble.features defines them, on the page's samples. */
const Measure = (() => {
  const ONSET_MV_PER_MS = 10;

  /** Firing rate within a step, Hz: `firing_rate_hz`. */
  function rate(spikes, start, stop) {
    const within = spikes.filter((time) => time >= start && time < stop);
    const count = within.length;
    if (count < 2) return (1e3 * count) / (stop - start);
    return 1e3 * Math.min((count - 1) / (within[count - 1] - within[0]), count / (stop - within[0]));
  }

  /** Spike times of a voltage: the largest sample of each run above -30 mV, refined by a parabola; noble.spikes. */
  function peaks(voltage, dt) {
    const found = [];
    for (let index = 1; index < voltage.length; index++) {
      if (!(voltage[index] > -30 && voltage[index - 1] <= -30)) continue;
      let peak = index;
      let end = index;
      for (; end < voltage.length && voltage[end] > -30; end++) if (voltage[end] > voltage[peak]) peak = end;
      const [left, middle, right] = [voltage[peak - 1], voltage[peak], voltage[peak + 1]];
      const curvature = left - 2 * middle + right;
      found.push((peak + (curvature < 0 ? (0.5 * (left - right)) / curvature : 0)) * dt);
      index = end;
    }
    return found;
  }

  /** Width of the first spike at half its height above its onset, ms; null without one. */
  function width(voltage, spikes, dt) {
    if (!spikes.length) return null;
    const middle = Math.round(spikes[0] / dt);
    let peak = Math.min(middle, voltage.length - 1);
    for (let index = Math.max(0, middle - 5); index < Math.min(middle + 6, voltage.length); index++)
      if (voltage[index] > voltage[peak]) peak = index;
    let onset = peak;
    while (
      onset > 0 &&
      voltage[onset] > voltage[onset - 1] &&
      (voltage[onset] - voltage[onset - 1]) / dt > ONSET_MV_PER_MS
    )
      onset--;
    const half = 0.5 * (voltage[onset] + voltage[peak]);
    let up = peak;
    while (up > 0 && voltage[up] > half) up--;
    let down = peak;
    while (down < voltage.length - 1 && voltage[down] > half) down++;
    if (voltage[down] > half) return null;
    const crossing = (below, above) =>
      below + ((half - voltage[below]) / (voltage[above] - voltage[below])) * (above - below);
    return (crossing(down, down - 1) - crossing(up, up + 1)) * dt;
  }

  /** Voltage before the current: mean of the last tenth of the time until it begins, or the first sample, mV. */
  function rest(voltage, start, dt) {
    const end = Math.floor(start / dt);
    const begin = Math.floor((0.9 * start) / dt);
    if (end - begin < 2) return voltage[0];
    let sum = 0;
    for (let index = begin; index < end; index++) sum += voltage[index];
    return sum / (end - begin);
  }

  /** All numbers that stand beside the picture. */
  function all(answer, current, samples, dt) {
    const [start, stop] = Stimuli.edges(current, samples, dt);
    const first = answer.spikes.find((time) => time >= start);
    return {
      spikes: answer.spikes.length,
      rate: rate(answer.spikes, start, stop),
      latency: first === undefined ? null : first - start,
      width: width(answer.voltage, answer.spikes, dt),
      rest: rest(answer.voltage, start, dt),
    };
  }

  return { all, peaks, rate };
})();
