"use strict";
/* What the page shows, as one object; and the same as text of a link. */
const State = (() => {
  /* More samples than this make no link that can be sent. */
  const MOST_SAMPLES = 20000;

  /** The state that a page opens with. */
  function first(bundles) {
    return {
      bundle: 0,
      known: typical(bundles[0]),
      model: null,
      current: Stimuli.first("step", bundles[0]),
      held: null,
      spread: "none",
      map: null,
    };
  }

  /** The model nearest to the middle of the family, where there is a plane; else every feature at its mean. */
  function typical(told) {
    if (!told.features.length) return {};
    const names = told.plane ? told.plane.features : told.features.map((feature) => feature.name);
    const all = told.features.map((feature) => feature.name);
    return Object.fromEntries(
      names.map((name) => {
        const column = all.indexOf(name);
        return [
          name,
          rounded(
            told.family
              ? told.family.mean[column]
              : 0.5 * (told.features[column].minimum + told.features[column].maximum),
          ),
        ];
      }),
    );
  }

  /** A number with five digits, as people would type it. */
  const rounded = (value) => Number(value.toPrecision(5));

  /** Text for a link. Drawn and recorded currents go as whole tenths of pA. */
  function write(state) {
    const kept = { ...state, current: { ...state.current } };
    if (kept.current.values) {
      if (kept.current.values.length > MOST_SAMPLES) kept.current = { kind: kept.current.kind, lost: true };
      else {
        const whole = Int16Array.from(kept.current.values, (value) => Math.round(value * 5000));
        kept.current.values = toText(new Uint8Array(whole.buffer));
      }
    }
    return toText(new TextEncoder().encode(JSON.stringify(kept)));
  }

  /** The state of a link, or null if it is none of this page. */
  function read(text, bundles) {
    try {
      const state = JSON.parse(new TextDecoder().decode(toBytes(text)));
      const told = bundles[state.bundle];
      const names = new Set(told.features.map((feature) => feature.name));
      const fine = (known) => Object.entries(known).every(([name, value]) => names.has(name) && Number.isFinite(value));
      if (!(state.current.kind in Stimuli.KINDS) || !fine(state.known) || (state.held && !fine(state.held.known)))
        return null;
      if (state.current.lost) return { ...first(bundles), ...state, current: Stimuli.first("step", told), lost: true };
      if (typeof state.current.values === "string") {
        const bytes = toBytes(state.current.values);
        const whole = new Int16Array(bytes.buffer, 0, bytes.length >> 1);
        state.current.values = Float32Array.from(whole, (value) => value / 5000);
        if (!(state.current.dt_ms > 0)) return null;
      }
      if (Stimuli.problem(state.current)) return null;
      return { ...first(bundles), ...state };
    } catch {
      return null;
    }
  }

  function toText(bytes) {
    let binary = "";
    for (let index = 0; index < bytes.length; index += 8192)
      binary += String.fromCharCode(...bytes.subarray(index, index + 8192));
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function toBytes(text) {
    return Numbers.bytesOf(text.replace(/-/g, "+").replace(/_/g, "/"));
  }

  return { first, read, rounded, typical, write };
})();
