"use strict";
/* An operator: features of a neuron and a current in, voltage and spikes out, as `noble.Operator` answers. */
const Operators = (() => {
  const { clamp } = Numbers;
  // The constants of noble/operator/feedback/core.py and noble/operator/spiking/waveform.py.
  const PARTS = 4;
  const FINE_NA = 0.1;
  const PASSIVE_MS = 10;
  const USUAL_RESISTANCE_MOHM = 100;
  const APART_MS = 2;
  const TABLE_STEP_MS = 0.01;
  const LOWEST_MV = -400;
  const HIGHEST_MV = 120;

  /* Rounded where the Python side rounds, in single precision: a rheobase off by 0.00001 pA moves late spikes by 0.0002 ms. */
  const single = Math.fround;
  const smooth = (share) => {
    const kept = clamp(share, 0, 1);
    return kept * kept * (3 - 2 * kept);
  };

  class Operator {
    /** `told`: what a page carries of an operator; see noble/explore/content.py. */
    constructor(told) {
      this.told = told;
      this.names = told.features.map((feature) => feature.name);
      this.weights = new Network.Weights(told.sizes, told.index, told.weights);
      this.shapes = told.index.shapes[0];
    }

    /**
     * The answer of one neuron, from rest on.
     *
     * `features`: all of them, by name, physical units. `current`: samples, nA, `dt` ms apart.
     * Returns `voltage` (mV, one a sample) and `spikes` (ms, those within the window). With `draw` false, spikes alone.
     */
    respond(features, current, dt, draw = true) {
      const { numbers } = this.told;
      const scaled = this.scaled(features);
      const physical = this.unscaled(scaled);
      const count = current.length;
      const bins = Math.ceil((count * dt + numbers.aheadMs) / numbers.binMs) + 1;
      const parts = partMeans(current, dt, numbers.binMs, bins);
      const { signals, logs, beyond } = this.prepare(physical, parts, bins);
      const rest = this.prepare(physical, new Float32Array(PARTS), 1);
      const run = new Network.Run(
        this.weights,
        this.weights.tune(scaled.map((value) => (value - 2) / 1.5)),
        numbers,
        rest.signals,
        rest.logs[0],
      );
      const slow = new Float64Array(bins + 1);
      slow[0] = run.slow;
      run.go(signals, logs, slow.subarray(1));
      for (let edge = 0; edge <= bins; edge++) {
        slow[edge] = numbers.restMv + numbers.scaleMv * slow[edge];
        if (edge) slow[edge] += beyond[edge - 1];
        if (!Number.isFinite(slow[edge])) throw new Error("the operator gave a number that is not finite");
      }
      const spikes = run.found.map((spike) => spike.ms).filter((ms) => ms < (count - 1) * dt);
      return draw ? { spikes, voltage: this.draw(slow, run.found, count, dt) } : { spikes };
    }

    /** Features in [0.5, 3.5] over the training models; spec.py. */
    scaled(features) {
      return Float32Array.from(this.told.features, ({ name, minimum, maximum }) => {
        const low = single(minimum);
        return single(0.5 + single(single(3 * single(single(features[name]) - low)) / single(single(maximum) - low)));
      });
    }

    /** Features by name again, with what rounding has left of them. */
    unscaled(scaled) {
      return Object.fromEntries(
        this.told.features.map(({ name, minimum, maximum }, index) => {
          const low = single(minimum);
          const range = single(single(maximum) - low);
          return [name, single(low + single(single(range * single(scaled[index] - 0.5)) / 3))];
        }),
      );
    }

    /** Signals of bins, the logarithm of their expected rates, and what current beyond the learned range adds at their ends. */
    prepare(features, parts, bins) {
      const { numbers, sizes, prior } = this.told;
      const means = new Float32Array(bins);
      const beyond = new Float64Array(bins);
      const signals = new Float32Array(bins * sizes.signals);
      const first = sizes.signals - PARTS;
      const resistance = "input_resistance" in features ? features.input_resistance : USUAL_RESISTANCE_MOHM;
      const decay = Math.exp(-numbers.binMs / PASSIVE_MS);
      let last = 0;
      for (let bin = 0; bin < bins; bin++) {
        let over = 0;
        let sum = 0;
        for (let part = 0; part < PARTS; part++) {
          const seen = clamp(parts[bin * PARTS + part], numbers.lowestNa, numbers.highestNa);
          over += parts[bin * PARTS + part] - seen;
          parts[bin * PARTS + part] = seen;
          sum += seen;
        }
        means[bin] = sum / PARTS;
        for (let part = 0; part < PARTS; part++)
          signals[bin * sizes.signals + first + part] = (parts[bin * PARTS + part] - means[bin]) / FINE_NA;
        last = decay * last + (1 - decay) * resistance * (over / PARTS);
        beyond[bin] = last;
      }
      const logs = Prior.expect(prior, features, means, numbers.binMs, signals, 0, sizes.signals);
      return { signals, logs, beyond };
    }

    /** Voltage: the slow one between edges of bins, and round each spike its shapes; drawing.py. */
    draw(slow, found, count, dt) {
      const { binMs, aheadMs, backMs, scaleMv } = this.told.numbers;
      const voltage = new Float32Array(count);
      for (let sample = 0; sample < count; sample++) {
        const position = (sample * dt) / binMs;
        const left = clamp(Math.floor(position), 0, slow.length - 2);
        voltage[sample] = slow[left] + (slow[left + 1] - slow[left]) * (position - left);
      }
      for (let which = 0; which < found.length; which++) {
        const spike = found[which].ms;
        const before = which ? spike - found[which - 1].ms : Infinity;
        const after = which + 1 < found.length ? found[which + 1].ms - spike : Infinity;
        const until = Math.min(count - 1, Math.floor((spike + backMs) / dt));
        for (let sample = Math.max(0, Math.ceil((spike - aheadMs) / dt)); sample <= until; sample++) {
          const since = sample * dt - spike;
          if (since >= after || since < -before) continue;
          const shown =
            since < 0
              ? smooth((before + since) / APART_MS)
              : 1 - (1 - clamp(after - since, 0, aheadMs) / aheadMs) ** 2 * smooth(since / APART_MS);
          voltage[sample] += scaleMv * shown * this.shape(found[which].shapes, since);
        }
      }
      for (let sample = 0; sample < count; sample++)
        voltage[sample] = clamp(voltage[sample], LOWEST_MV, HIGHEST_MV);
      return voltage;
    }

    /** Weighted shapes at a time from a spike, by linear interpolation in their table. */
    shape(weights, since) {
      const { aheadMs, backMs } = this.told.numbers;
      const { floats } = this.weights.heap;
      const position = (clamp(since, -aheadMs, backMs) + aheadMs) / TABLE_STEP_MS;
      const left = Math.floor(position);
      const share = position - left;
      const wide = Numbers.padded(weights.length);
      let sum = 0;
      let at = this.shapes + left * wide;
      for (let index = 0; index < weights.length; index++, at++)
        sum += weights[index] * (floats[at] + (floats[at + wide] - floats[at]) * share);
      return sum;
    }
  }

  /** Mean current in the quarters of bins, exact for charge; each sample lasts until the next, the last one on and on. */
  function partMeans(current, dt, binMs, bins) {
    const { length } = current;
    const charge = new Float64Array(length + 1);
    for (let sample = 0; sample < length; sample++) charge[sample + 1] = charge[sample] + current[sample];
    const ratio = binMs / PARTS / dt;
    const at = (edge) => {
      const whole = Math.min(Math.floor(edge), length - 1);
      return charge[whole] + (edge - whole) * current[whole];
    };
    const means = new Float32Array(bins * PARTS);
    let last = 0;
    for (let part = 0; part < means.length; part++) {
      const next = at((part + 1) * ratio);
      means[part] = (next - last) / ratio;
      last = next;
    }
    return means;
  }

  return { Operator };
})();
