"use strict";
/* The neuron's features as numbers to type: those that are given, and those that take their typical value. */
const NeuronForm = (() => {
  class Form {
    /** `typed(name, value)`: a feature was given, or with `null` given up. */
    constructor({ latent, others, details }, typed) {
      Object.assign(this, { latent, others, details, typed, rows: new Map() });
    }

    open(told) {
      this.told = told;
      this.rows.clear();
      this.latent.replaceChildren();
      this.others.replaceChildren();
      const leading = told.plane ? told.plane.features : [];
      for (const feature of told.features) {
        const first = leading.includes(feature.name);
        this.row(feature, first ? this.latent : this.others, first);
      }
      this.details.hidden = !this.others.children.length;
      const others = this.others.children.length;
      this.details.querySelector("summary").textContent = leading.length
        ? `${others} more features`
        : `${others} features`;
    }

    row(feature, box, fixed) {
      const row = document.createElement("div");
      row.className = "feature";
      row.title = feature.definition;
      const [label, input, unit] = ["label", "input", "span"].map((tag) => document.createElement(tag));
      Object.assign(input, { id: `feature-${feature.name}`, type: "number" });
      Object.assign(label, { htmlFor: input.id, textContent: feature.label });
      Object.assign(unit, { className: "unit", textContent: feature.unit });
      row.append(label, input, unit);
      const step = 10 ** Math.floor(Math.log10((feature.maximum - feature.minimum) / 40));
      input.step = String(step);
      const release = document.createElement("button");
      release.type = "button";
      release.className = "release";
      release.textContent = "×";
      release.setAttribute("aria-label", `Take the typical ${feature.label} again`);
      release.addEventListener("click", () => this.typed(feature.name, null));
      if (!fixed) row.append(release);
      input.addEventListener("input", () => {
        const value = input.valueAsNumber;
        const [low, high] = feature.plausible ?? [null, null];
        const fine = Number.isFinite(value) && (low === null || value >= low) && (high === null || value <= high);
        input.setAttribute("aria-invalid", String(!fine));
        if (fine) this.typed(feature.name, value);
      });
      box.append(row);
      this.rows.set(feature.name, { input, row });
    }

    show(known, features) {
      for (const [name, { input, row }] of this.rows) {
        row.classList.toggle("given", name in known);
        if (input !== document.activeElement) {
          input.value = Words.feature(features[name]);
          input.setAttribute("aria-invalid", "false");
        }
      }
    }
  }

  return { Form };
})();
