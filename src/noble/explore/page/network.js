"use strict";
/* The operator's network, bin by bin: noble/operator/feedback (compiled.py computes the same). */
const Network = (() => {
  const { clamp, padded, softplus } = Numbers;
  // The constants of cell.py and context.py; tests hold the two against each other.
  const SPIKE_TIMES_MS = Array.from({ length: 10 }, (_, step) => 0.7 * (400 / 0.7) ** (step / 9));
  const SPIKES = SPIKE_TIMES_MS.length;
  const KNOWN = SPIKES + 7;
  const LONG_AGO_MS = 1e3;
  const RECENT_MS = 20;
  const LOG_SINCE_UNIT = 3;
  const LOG_RATE_UNIT = 5;
  const EARLIEST_MS = -5;
  const LATEST_MS = 50;
  const GUESS_SCALES_MS = [0.3, 1, 5];
  const ODDS_PER_MS = 10;
  const ODDS_REACH_MS = 3;
  const HALF_OF_THE_CHANCE = Math.LN2;
  const REFRACTORY_MS = 1;
  const IMPOSSIBLE = -30;
  const LARGEST_UNIT = 200;
  const MOST_SPIKES = SPIKE_TIMES_MS.map((time) => time / 4 + 1);
  const NORM_EPS = 1e-5;
  /* Bins that go through a layer together. */
  const ROWS = 32;

  /* What is added up from bin to bin is rounded as the Python side rounds it, or spikes would drift by up to 0.0002 ms. */
  const single = Math.fround;
  const gated = (gate, value) => 0.5 * gate * (1 + gate / (1 + Math.abs(gate))) * value;
  const bounded = (gate, value) => clamp(gated(gate, value), -LARGEST_UNIT, LARGEST_UNIT);

  /** The weights of an operator in one memory, and room to compute in. */
  class Weights {
    /** `sizes`, `index` and `blob` as the page carries them: what is where in float32 numbers. */
    constructor(sizes, index, blob) {
      const bytes = Numbers.bytesOf(blob);
      const numbers = new Float32Array(bytes.buffer);
      const { width, hidden, filters, averages, size, fixed } = sizes;
      const seen = sizes.signals + filters + fixed;
      this.sizes = { ...sizes, seen, heard: averages + 4 * size + 1, present: width + filters };
      const scratch =
        ROWS * (seen + 3 * width + 2 * filters + 3 * hidden + 4 * size + averages + 128) +
        16 * (size + averages + KNOWN + sizes.address + sizes.features + sizes.shapes) +
        4096;
      this.heap = new Numbers.Heap(numbers.length + scratch);
      this.heap.floats.set(numbers);
      this.heap.used = numbers.length;
      this.at = Object.fromEntries(Object.entries(index).map(([name, [start]]) => [name, start]));
      const room = (rows, columns) => this.heap.room(rows, columns);
      this.room = {
        features: room(1, sizes.features),
        address: room(1, sizes.address),
        tuned: room(1, 4 * size + 4 * hidden + width),
        seen: room(ROWS, seen),
        projected: room(ROWS, filters),
        values: room(ROWS, width),
        normed: room(ROWS, width),
        present: room(ROWS, width + filters),
        inner: room(ROWS, 2 * hidden),
        narrow: room(ROWS, hidden),
        left: room(ROWS, width),
        heard: room(ROWS, this.sizes.heard),
        known: room(1, KNOWN),
        remembered: room(1, averages),
        both: room(1, KNOWN + averages),
        wide: room(1, 2 * size),
        entered: room(1, size),
        described: room(1, size),
        decided: room(1, 5),
        weighed: room(1, sizes.shapes),
      };
    }

    /** What is added to each layer for one neuron, whose features are scaled to [-1, 1]. */
    tune(centred) {
      const { heap, at, room, sizes } = this;
      const { floats } = heap;
      floats.set(centred, room.features);
      heap.product(room.features, 0, 1, sizes.features, at.address, sizes.address, room.address);
      for (let unit = 0; unit < sizes.address; unit++) {
        const value = floats[room.address + unit] + floats[at.address_bias + unit];
        floats[room.address + unit] = value / (1 + Math.exp(-value));
      }
      const added = (weight, columns, bias) => {
        heap.product(room.address, 0, 1, sizes.address, weight, columns, room.tuned);
        return Float32Array.from(
          { length: columns },
          (_, index) => floats[room.tuned + index] + (bias < 0 ? 0 : floats[bias + index]),
        );
      };
      const heard = Float32Array.from({ length: sizes.heard }, (_, index) => floats[at.hear_bias + index]);
      added(at.cell_tune, 4 * sizes.size, -1).forEach((value, index) => {
        heard[sizes.averages + index] += value;
      });
      return {
        entering: added(at.address_enter, sizes.width, at.enter_bias),
        blocks: Array.from({ length: sizes.blocks }, (_, block) =>
          added(at[`block${block}_tune`], 2 * sizes.hidden, at[`block${block}_enter_bias`]),
        ),
        heard,
      };
    }
  }

  /** One neuron that goes through a current, from rest on. */
  class Run {
    /** `tuned`: see `Weights.tune`. `restSignals`, `restLogRate`: of a bin without current. */
    constructor(weights, tuned, numbers, restSignals, restLogRate) {
      Object.assign(this, { weights, tuned, numbers });
      const { filters, fixed, blocks, averages } = weights.sizes;
      this.fixed = new Float32Array(fixed);
      this.carried = Array.from({ length: blocks + 1 }, () => new Float32Array(filters));
      this.spikes = new Float32Array(SPIKES);
      this.decays = SPIKE_TIMES_MS.map((time) => Math.exp(-numbers.binMs / time));
      this.since = LONG_AGO_MS;
      this.phase = this.used = 0;
      this.averages = new Float32Array(averages);
      this.found = [];
      const { heap, room } = weights;
      heap.floats.set(restSignals, room.seen);
      this.hear(1, true);
      const logRate = this.logRate(restLogRate, 0);
      this.know(logRate, Math.exp(logRate));
      for (let index = 0; index < averages; index++)
        this.averages[index] = heap.floats[room.heard + index] + heap.floats[room.remembered + index];
      this.describe(0);
      /** Slow voltage at rest, in units of the operator. */
      this.slow = this.decided(4);
    }

    /** Go through some bins, whose signals lie in `signals`; slow voltage goes to `slow`, spikes to `found`. */
    go(signals, logRates, slow) {
      const { heap, room, sizes } = this.weights;
      const bins = logRates.length;
      const stride = padded(sizes.seen);
      for (let start = 0; start < bins; start += ROWS) {
        const rows = Math.min(ROWS, bins - start);
        for (let row = 0; row < rows; row++) {
          const from = (start + row) * sizes.signals;
          heap.floats.set(signals.subarray(from, from + sizes.signals), room.seen + row * stride);
        }
        this.hear(rows, false);
        for (let row = 0; row < rows; row++) slow[start + row] = this.step(start + row, row, logRates[start + row]);
      }
    }

    /** The wide part for some rows of signals; at rest every average is what it averages. */
    hear(rows, resting) {
      const { heap, at, room, sizes } = this.weights;
      const { floats } = heap;
      const { width, hidden, filters, fixed, signals, seen } = sizes;
      const wideSeen = padded(seen);
      const wideWidth = padded(width);
      const widePresent = padded(width + filters);
      heap.product(room.seen, wideSeen, rows, signals, at.spread, filters, room.projected);
      this.average(rows, at.context_decay, this.carried[0], room.seen + signals, wideSeen, resting);
      for (let row = 0; row < rows; row++) {
        const base = room.seen + row * wideSeen;
        const mean = floats[base];
        for (let index = 0; index < fixed; index++) {
          const decay = floats[at.fixed_decay + index];
          this.fixed[index] = resting ? mean : decay * this.fixed[index] + (1 - decay) * mean;
          floats[base + signals + filters + index] = this.fixed[index];
        }
      }
      heap.product(room.seen, wideSeen, rows, seen, at.enter, width, room.values);
      for (let row = 0; row < rows; row++)
        for (let index = 0; index < width; index++)
          floats[room.values + row * wideWidth + index] += this.tuned.entering[index];
      for (let block = 0; block < sizes.blocks; block++) {
        this.norm(rows, at[`block${block}_norm`]);
        for (let row = 0; row < rows; row++)
          for (let index = 0; index < width; index++)
            floats[room.present + row * widePresent + index] = floats[room.normed + row * wideWidth + index];
        heap.product(room.normed, wideWidth, rows, width, at[`block${block}_project`], filters, room.projected);
        this.average(
          rows,
          at[`block${block}_decay`],
          this.carried[block + 1],
          room.present + width,
          widePresent,
          resting,
        );
        heap.product(
          room.present,
          widePresent,
          rows,
          width + filters,
          at[`block${block}_enter`],
          2 * hidden,
          room.inner,
        );
        const added = this.tuned.blocks[block];
        const wideInner = padded(2 * hidden);
        const wideHidden = padded(hidden);
        for (let row = 0; row < rows; row++) {
          const inner = room.inner + row * wideInner;
          const narrow = room.narrow + row * wideHidden;
          for (let unit = 0; unit < hidden; unit++)
            floats[narrow + unit] = gated(
              floats[inner + unit] + added[unit],
              floats[inner + hidden + unit] + added[hidden + unit],
            );
        }
        heap.product(room.narrow, wideHidden, rows, hidden, at[`block${block}_leave`], width, room.left);
        const bias = at[`block${block}_leave_bias`];
        for (let row = 0; row < rows; row++) {
          const base = row * wideWidth;
          for (let index = 0; index < width; index++)
            floats[room.values + base + index] += floats[room.left + base + index] + floats[bias + index];
        }
      }
      this.norm(rows, at.norm);
      heap.product(room.normed, wideWidth, rows, width, at.hear, sizes.heard, room.heard);
      const wideHeard = padded(sizes.heard);
      for (let row = 0; row < rows; row++)
        for (let index = 0; index < sizes.heard; index++)
          floats[room.heard + row * wideHeard + index] += this.tuned.heard[index];
    }

    /** Exponential averages of what was projected. */
    average(rows, decays, state, into, stride, resting) {
      const { heap, room, sizes } = this.weights;
      const { floats } = heap;
      const wide = padded(sizes.filters);
      for (let row = 0; row < rows; row++) {
        for (let index = 0; index < sizes.filters; index++) {
          const value = floats[room.projected + row * wide + index];
          const decay = floats[decays + index];
          state[index] = resting ? value : decay * state[index] + (1 - decay) * value;
          floats[into + row * stride + index] = state[index];
        }
      }
    }

    norm(rows, weight) {
      const { heap, room, sizes } = this.weights;
      const { floats } = heap;
      const { width } = sizes;
      for (let row = 0; row < rows; row++) {
        const from = room.values + row * padded(width);
        const to = room.normed + row * padded(width);
        let mean = 0;
        for (let index = 0; index < width; index++) mean += floats[from + index];
        mean /= width;
        let variance = 0;
        for (let index = 0; index < width; index++) variance += (floats[from + index] - mean) ** 2;
        const factor = 1 / Math.sqrt(variance / width + NORM_EPS);
        for (let index = 0; index < width; index++)
          floats[to + index] = (floats[from + index] - mean) * factor * floats[weight + index];
      }
    }

    logRate(expected, row) {
      const { heap, room, sizes } = this.weights;
      const correction = heap.floats[room.heard + row * padded(sizes.heard) + sizes.heard - 1];
      const { uncertainty, logRateRange } = this.numbers;
      return clamp(single(expected + uncertainty * correction), logRateRange[0], logRateRange[1]);
    }

    /** What is known of the spikes, and what the averages take from it. Returns when the next one would come, ms. */
    know(logRate, rate) {
      const { heap, at, room, sizes } = this.weights;
      const { floats } = heap;
      const guess = clamp(single(single(1 - this.phase) / rate), EARLIEST_MS, LATEST_MS);
      const { known } = room;
      for (let index = 0; index < SPIKES; index++)
        floats[known + index] = Math.min(this.spikes[index], MOST_SPIKES[index]);
      floats[known + SPIKES] = Math.log1p(this.since) / LOG_SINCE_UNIT;
      floats[known + SPIKES + 1] = Math.exp(-this.since / RECENT_MS);
      floats[known + SPIKES + 2] = clamp(this.phase, 0, 2);
      floats[known + SPIKES + 3] = logRate / LOG_RATE_UNIT + 1;
      for (let index = 0; index < GUESS_SCALES_MS.length; index++) {
        const scaled = guess / GUESS_SCALES_MS[index];
        floats[known + SPIKES + 4 + index] = scaled / (1 + Math.abs(scaled));
      }
      heap.product(known, 0, 1, KNOWN, at.remember, sizes.averages, room.remembered);
      return guess;
    }

    /** Both layers of the narrow part, and the decision. */
    describe(row) {
      const { heap, at, room, sizes } = this.weights;
      const { floats } = heap;
      const { size, averages } = sizes;
      const heard = room.heard + row * padded(sizes.heard) + averages;
      for (let index = 0; index < KNOWN; index++) floats[room.both + index] = floats[room.known + index];
      for (let index = 0; index < averages; index++) floats[room.both + KNOWN + index] = this.averages[index];
      heap.product(room.both, 0, 1, KNOWN + averages, at.first, 2 * size, room.wide);
      for (let index = 0; index < size; index++)
        floats[room.entered + index] = bounded(
          floats[room.wide + index] + floats[heard + index],
          floats[room.wide + size + index] + floats[heard + size + index],
        );
      heap.product(room.entered, 0, 1, size, at.second, 2 * size, room.wide);
      const more = heard + 2 * size;
      for (let index = 0; index < size; index++)
        floats[room.described + index] = bounded(
          floats[room.wide + index] + floats[more + index],
          floats[room.wide + size + index] + floats[more + size + index],
        );
      heap.product(room.described, 0, 1, size, at.decide, 5, room.decided);
    }

    decided(index) {
      const { heap, at, room } = this.weights;
      return heap.floats[room.decided + index] + heap.floats[at.decide_bias + index];
    }

    /** One bin; returns the slow voltage at its end. */
    step(bin, row, expected) {
      const { heap, at, room, sizes } = this.weights;
      const { floats } = heap;
      const binMs = single(this.numbers.binMs);
      const logRate = this.logRate(expected, row);
      const rate = single(Math.exp(logRate));
      const guess = this.know(logRate, rate);
      const heard = room.heard + row * padded(sizes.heard);
      for (let index = 0; index < sizes.averages; index++) {
        const decay = floats[at.cell_decay + index];
        const coming = floats[heard + index] + floats[room.remembered + index];
        this.averages[index] = decay * this.averages[index] + (1 - decay) * coming;
      }
      this.describe(row);
      const slow = this.decided(4);
      const reach = clamp(binMs - guess, -ODDS_REACH_MS, ODDS_REACH_MS);
      const free = this.decided(0) + softplus(this.decided(2)) * ODDS_PER_MS * reach;
      const odds = this.since < REFRACTORY_MS ? IMPOSSIBLE : free;
      this.used = single(this.used + softplus(odds));
      for (let index = 0; index < SPIKES; index++) this.spikes[index] *= this.decays[index];
      if (this.used <= HALF_OF_THE_CHANCE) {
        this.since = Math.min(single(this.since + binMs), LONG_AGO_MS);
        this.phase = single(this.phase + rate * binMs);
        return slow;
      }
      const own = binMs * (this.decided(1) + 0.5);
      const trusted = Numbers.sigmoid(this.decided(3));
      const place = single(clamp(own + trusted * (clamp(guess, 0, binMs) - own), 0, binMs));
      const rest = single(binMs - place);
      heap.product(room.described, 0, 1, sizes.size, at.weigh, sizes.shapes, room.weighed);
      const shapes = Float32Array.from(
        { length: sizes.shapes },
        (_, index) => floats[room.weighed + index] + floats[at.weigh_bias + index],
      );
      this.found.push({ ms: bin * this.numbers.binMs + place, shapes });
      for (let index = 0; index < SPIKES; index++) this.spikes[index] += Math.exp(-rest / SPIKE_TIMES_MS[index]);
      this.since = rest;
      this.phase = single(rate * rest);
      this.used = 0;
      for (let index = 0; index < sizes.averages; index++) this.averages[index] *= floats[at.cell_kept + index];
      return slow;
    }
  }

  return { Run, Weights };
})();
