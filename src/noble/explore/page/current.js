"use strict";
/* The current: kinds and their numbers, drawing with the pointer or the keys, and files that are dropped or pasted. */
const CurrentEditor = (() => {
  const DRAWN_MS = 0.5;
  const KEY_NA = 0.01;
  const KEY_MS = 10;

  class Editor {
    /** `changed(current)`: another current; `failed(sentence)`: a file that is none. */
    constructor({ tabs, fields, hint, plot, frozen, box }, changed, failed) {
      Object.assign(this, { tabs, fields, hint, plot, frozen, box, changed, failed, current: null, brush: 100 });
      for (const [kind, { label }] of Object.entries(Stimuli.KINDS)) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = label;
        button.dataset.kind = kind;
        button.addEventListener("click", () => this.choose(kind));
        tabs.append(button);
      }
      this.file = document.createElement("input");
      this.file.type = "file";
      this.file.accept = ".csv,.tsv,.txt,.dat,text/*";
      this.file.addEventListener("change", () => this.take(this.file.files[0]));
      this.pointers();
      box.tabIndex = 0;
      box.addEventListener("keydown", (event) => this.key(event));
      document.addEventListener("dragover", (event) => {
        event.preventDefault();
        document.body.classList.add("dropping");
      });
      document.addEventListener("dragleave", (event) => {
        if (!event.relatedTarget) document.body.classList.remove("dropping");
      });
      document.addEventListener("drop", (event) => {
        event.preventDefault();
        document.body.classList.remove("dropping");
        if (event.dataTransfer.files[0]) this.take(event.dataTransfer.files[0]);
        else this.read(event.dataTransfer.getData("text"));
      });
      document.addEventListener("paste", (event) => {
        const text = event.clipboardData.getData("text");
        if (event.target.matches("input, textarea") && !text.includes("\n")) return;
        event.preventDefault();
        this.read(text);
      });
    }

    /** Show a current of an operator, which may have come from elsewhere. */
    show(current, told, windowMs) {
      const other = !this.current || this.current.kind !== current.kind || this.told !== told;
      Object.assign(this, { current, told, windowMs });
      if (other || current.values) this.form();
      for (const button of this.tabs.children)
        button.setAttribute("aria-pressed", String(button.dataset.kind === current.kind));
      this.box.classList.toggle("drawable", current.kind === "drawn");
      for (const input of this.fields.querySelectorAll("input")) {
        if (input !== document.activeElement || input.type === "range") input.value = current[input.dataset.name];
      }
      this.plot.over.style.touchAction = current.kind === "drawn" ? "none" : "";
    }

    choose(kind) {
      if (kind === "recorded") this.file.click();
      else if (kind === "drawn") this.changed(this.drawn());
      else this.changed(Stimuli.first(kind, this.told));
    }

    /** The present current as one that can be drawn on. */
    drawn() {
      if (this.current.kind === "drawn") return { ...this.current, values: Float32Array.from(this.current.values) };
      const count = Math.ceil(this.windowMs / DRAWN_MS) + 1;
      return { kind: "drawn", dt_ms: DRAWN_MS, values: Stimuli.sample(this.current, count, DRAWN_MS) };
    }

    form() {
      this.fields.replaceChildren();
      const { fields } = Stimuli.KINDS[this.current.kind];
      this.hint.textContent =
        {
          drawn:
            "Draw on the current below, by mouse or finger. Keys: ← → move, ↑ ↓ raise and lower 10 ms of it by 10 pA.",
          recorded: `${this.current.values?.length ?? 0} samples of ${this.current.name ?? "a file"}. Drop or paste another: columns of time and current, units in the header.`,
        }[this.current.kind] ?? "";
      for (const field of fields) {
        const label = document.createElement("label");
        const [least, most] = Stimuli.rangeOf(field, this.told, this.windowMs);
        label.innerHTML = `<span>${field.label}${field.unit ? ` <i>${field.unit}</i>` : ""}</span>`;
        for (const type of ["range", "number"]) {
          const input = document.createElement("input");
          Object.assign(input, { type, step: field.step });
          if (type === "range") Object.assign(input, { min: least, max: most, tabIndex: -1 });
          if (type === "range") input.setAttribute("aria-hidden", "true");
          else input.setAttribute("aria-label", `${field.label}${field.unit ? `, ${field.unit}` : ""}`);
          input.dataset.name = field.name;
          input.addEventListener("input", () => {
            const value = input.valueAsNumber;
            if (!Number.isFinite(value)) return;
            this.changed({
              ...this.current,
              [field.name]: field.name === "seed" ? Math.max(0, Math.round(value)) : value,
            });
          });
          label.append(input);
        }
        this.fields.append(label);
      }
    }

    pointers() {
      const { over } = this.plot;
      let last = null;
      const point = (event) => {
        const edge = over.getBoundingClientRect();
        const y = Numbers.clamp(event.clientY - edge.top, 0, edge.height);
        return [this.plot.posToVal(event.clientX - edge.left, "x"), this.plot.posToVal(y, "na")];
      };
      const stroke = (event) => {
        const next = point(event);
        const current = this.drawn();
        const [from, to] = last[0] < next[0] ? [last, next] : [next, last];
        const first = Math.max(0, Math.round(from[0] / DRAWN_MS));
        const end = Math.min(current.values.length - 1, Math.round(to[0] / DRAWN_MS));
        for (let index = first; index <= end; index++) {
          const share = to[0] > from[0] ? Numbers.clamp((index * DRAWN_MS - from[0]) / (to[0] - from[0]), 0, 1) : 1;
          current.values[index] = Math.round(1e3 * (from[1] + (to[1] - from[1]) * share)) / 1e3;
        }
        last = next;
        this.changed(current);
      };
      over.addEventListener("pointerdown", (event) => {
        // A finger scrolls the page unless it was asked to draw; a mouse draws at once.
        if (event.button || (event.pointerType !== "mouse" && this.current.kind !== "drawn")) return;
        over.setPointerCapture(event.pointerId);
        this.frozen.range = [this.plot.scales.na.min, this.plot.scales.na.max];
        last = point(event);
        event.preventDefault();
      });
      over.addEventListener("pointermove", (event) => {
        if (last) stroke(event);
      });
      for (const end of ["pointerup", "pointercancel"])
        over.addEventListener(end, () => {
          if (last) this.changed({ ...this.current });
          last = null;
          this.frozen.range = null;
        });
    }

    key(event) {
      if (this.current.kind !== "drawn" || event.target !== this.box) return;
      const along = { ArrowLeft: -KEY_MS, ArrowRight: KEY_MS }[event.key];
      const up = { ArrowUp: KEY_NA, ArrowDown: -KEY_NA }[event.key];
      if (!along && !up) return;
      event.preventDefault();
      if (along) this.brush = Numbers.clamp(this.brush + along, 0, this.windowMs - KEY_MS);
      else {
        const current = this.drawn();
        for (
          let index = Math.round(this.brush / DRAWN_MS);
          index < Math.round((this.brush + KEY_MS) / DRAWN_MS);
          index++
        )
          current.values[index] = Math.round(1e3 * (current.values[index] + up)) / 1e3;
        this.changed(current);
      }
      this.plot.setCursor({ left: this.plot.valToPos(this.brush + KEY_MS / 2, "x"), top: 10 });
    }

    take(file) {
      if (!file) return;
      file.text().then((text) => this.read(text, file.name));
      this.file.value = "";
    }

    read(text, name) {
      if (!text || !text.trim()) return;
      try {
        this.changed({ kind: "recorded", ...Columns.parse(text), name: name ?? "pasted text" });
      } catch (error) {
        this.failed(error.message);
      }
    }
  }

  return { Editor };
})();
