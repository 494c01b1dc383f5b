"use strict";
/* What the features of a neuron say about its firing before the network corrects it: noble/operator/spiking/fi_prior.py. */
const Prior = (() => {
  const { clamp, sigmoid, softplus } = Numbers;
  const single = Math.fround;
  // The constants of that file; tests hold the two against each other.
  const CURRENT_SCALE_NA = 0.1;
  const DRIVE_SCALE_NA = 0.05;
  const RATE_SCALE_HZ = 50;
  const TIME_SCALE_MS = 20;
  const LEAST_SLOPE_HZ_PER_NA = 20;
  const USUAL_SLOPE_HZ_PER_NA = 500;
  const WIDE_BEND_NA = 0.005;
  const BEND_NA = 0.002;
  const LOG_OFFSET_NA = 0.005;
  const SILENT_RATE_PER_MS = 1e-4;
  const LEAST_DELAY_MS = 0.05;
  const DRIVEN_BENDS = 2;
  const FORGET_MS = 20;
  const LEAST_BEGUN = 1e-3;
  const STEP_MS = 400;
  const RELAXATION_MS = 30;
  const LEAST_LOG_RATE = -11;

  /**
   * Signals of consecutive bins and the logarithm of the expected rate in them, from rest on.
   *
   * `told`: what a page carries of an operator's prior. `named`: features by name. `means`: of the current in each bin, nA.
   * Writes `signals(told)` numbers a bin to `into` at `start`, rows `stride` apart, and returns the logarithms.
   */
  function expect(told, named, means, binMs, into, start, stride) {
    const logs = new Float64Array(means.length);
    if (!("rheobase" in named)) return nothingKnown(means, logs, into, start, stride);
    return told.curve
      ? alongCurve(told.curve, named, means, binMs, logs, into, start, stride)
      : alongLine(named, means, logs, into, start, stride);
  }

  const signals = (told) => (told.curve ? 6 : 3);

  function nothingKnown(means, logs, into, start, stride) {
    for (let bin = 0; bin < means.length; bin++) {
      const at = start + bin * stride;
      into[at] = means[bin] / CURRENT_SCALE_NA;
      into[at + 1] = into[at + 2] = 0;
      logs[bin] = Math.max(Math.log(SILENT_RATE_PER_MS), LEAST_LOG_RATE);
    }
    return logs;
  }

  function alongLine(named, means, logs, into, start, stride) {
    const slope = Math.max("fi_gain" in named ? named.fi_gain : USUAL_SLOPE_HZ_PER_NA, LEAST_SLOPE_HZ_PER_NA);
    for (let bin = 0; bin < means.length; bin++) {
      const above = single(means[bin] - named.rheobase);
      const expected = (softplus(above / WIDE_BEND_NA) * WIDE_BEND_NA * slope) / RATE_SCALE_HZ;
      const at = start + bin * stride;
      into[at] = means[bin] / CURRENT_SCALE_NA;
      into[at + 1] = driveOf(above);
      into[at + 2] = expected;
      logs[bin] = Math.max(Math.log(expected * RATE_SCALE_HZ * 1e-3 + SILENT_RATE_PER_MS), LEAST_LOG_RATE);
    }
    return logs;
  }

  const driveOf = (above) => Math.tanh(above / (2 * DRIVE_SCALE_NA)) * 2;

  function alongCurve(curve, named, means, binMs, logs, into, start, stride) {
    const splines = curve.points.map((names) =>
      splineOf(
        curve,
        names.map((name) => single(Math.log(Math.max(named[name], 1e-3)))),
      ),
    );
    const firing = new Firing(binMs);
    const scale = Math.log(TIME_SCALE_MS);
    let last = NaN;
    let known = null;
    for (let bin = 0; bin < means.length; bin++) {
      const above = single(means[bin] - named.rheobase);
      if (above !== last) {
        const position = single(
          Math.log1p(single(single(softplus(single(above / BEND_NA))) * single(BEND_NA / LOG_OFFSET_NA))),
        );
        const [rate, latency, interval] = splines.map((spline) => clamp(spline(position), -8, 8));
        const fires = sigmoid(above / BEND_NA);
        known = {
          fires,
          logFires: single(-softplus(-above / BEND_NA)),
          answer: steadyAnswer(
            single(single(Math.exp(rate)) * 1e-3),
            single(Math.exp(latency)),
            single(Math.exp(interval)),
          ),
          driven: above > -DRIVEN_BENDS * BEND_NA,
          told: [rate - Math.log(RATE_SCALE_HZ), scale - latency, scale - interval].map(
            (item) => Math.exp(item) * fires,
          ),
        };
        last = above;
      }
      const moment = single(firing.next(known.answer, known.driven));
      const at = start + bin * stride;
      into[at] = means[bin] / CURRENT_SCALE_NA;
      into[at + 1] = driveOf(above);
      into[at + 2] = known.told[0];
      into[at + 3] = known.told[1];
      into[at + 4] = known.told[2];
      into[at + 5] = moment * known.fires * (1e3 / RATE_SCALE_HZ);
      logs[bin] = Math.max(single(single(Math.log(moment)) + known.logFires), LEAST_LOG_RATE);
    }
    return logs;
  }

  /** The natural cubic spline through values at the curve's knots, as a function of the position. */
  function splineOf(curve, values) {
    const pieces = curve.coefficients.map((powers) =>
      powers.map((row) => row.reduce((sum, weight, knot) => single(sum + weight * values[knot]), 0)),
    );
    return (position) => {
      let piece = 0;
      while (piece < curve.edges.length && curve.edges[piece] < position) piece++;
      const step = single(position - curve.anchors[piece]);
      const [cubic, square, slope, value] = pieces[piece];
      const bent = single(single(cubic * step) + square);
      const sloped = single(single(bent * step) + slope);
      return single(single(sloped * step) + value);
    };
  }

  /** What a step of this mean rate, latency and first interval is made of: delay, first rate, steady rate and its change. */
  function steadyAnswer(rate, latency, interval) {
    const delay = Math.max(single(latency - single(1 / rate)), LEAST_DELAY_MS);
    const rest = Math.max(single(single(STEP_MS - latency) - single(0.5 / rate)), single(1.5 * interval));
    const early = single(-Math.expm1(single(-interval / RELAXATION_MS)));
    const share = single(single(-Math.expm1(single(-rest / RELAXATION_MS))) / early);
    const mean = single(single(single(rate * rest) - share) / single(rest - single(share * interval)));
    const steady = clamp(mean, single(rate / 3), single(3 * rate));
    const raised = single(single(1 - single(steady * interval)) / single(early * RELAXATION_MS));
    const change = clamp(raised, single(-0.9 * steady), single(9 * steady));
    return { rate, latency, delay, first: single(1 / single(latency - delay)), steady, change };
  }

  /** The expected rate, bin by bin: `expected_rate` of that file. */
  class Firing {
    constructor(binMs) {
      this.binMs = binMs;
      this.begun = this.fired = this.relaxed = 0;
      this.decay = single(Math.exp(single(-binMs / RELAXATION_MS)));
      this.half = single(Math.exp(single((-0.5 * binMs) / RELAXATION_MS)));
      this.forget = Math.exp(-binMs / FORGET_MS);
    }

    next(answer, driven) {
      const begun = this.share(answer.delay, driven, this.begun);
      const fired = this.share(answer.latency, driven, this.fired);
      this.begun = this.after(answer.delay, driven, this.begun);
      this.fired = this.after(answer.latency, driven, this.fired);
      const gone = single(fired + single(single(this.relaxed - fired) * this.half));
      this.relaxed = single(this.decay * this.relaxed + single(single(1 - this.decay) * fired));
      const later = single(single(answer.steady + single(answer.change * single(1 - gone))) * fired);
      const rate = single(single(answer.first * single(begun - fired)) + later);
      return Math.max(rate, LEAST_BEGUN * answer.rate);
    }

    share(delay, driven, state) {
      if (!driven) return state > 1 - Math.exp(-1) ? 1 : 0;
      const wait = delay * (1 + Math.log1p(-Math.min(state, 0.999)));
      return clamp(1 - wait / this.binMs, 0, 1);
    }

    after(delay, driven, state) {
      if (!driven) return this.forget * state;
      const decay = Math.exp(-this.binMs / delay);
      return decay * state + (1 - decay);
    }
  }

  return { expect, signals };
})();
