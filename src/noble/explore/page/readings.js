"use strict";
/* Numbers and keys beside the pictures. */
const Readings = (() => {
  /* Rows of the table: name, unit, and how a number of it is written. */
  const ROWS = [
    ["Spikes", "", (of) => String(of.spikes)],
    ["Rate", "Hz", (of) => Words.shown(of.rate)],
    ["Latency", "ms", (of) => Words.shown(of.latency, 2)],
    ["Width", "ms", (of) => Words.shown(of.width, 3)],
    ["Rest", "mV", (of) => Words.shown(of.rest, 2)],
  ];

  function element(tag, more = {}, ...children) {
    const found = Object.assign(document.createElement(tag), more);
    found.append(...children);
    return found;
  }

  const key = (name) => element("i", { className: `key ${name}-key` });

  /** A table of numbers, a column for each of `[name, numbers]`; the first is the neuron's. */
  function table(box, columns) {
    const [head, body] = box.children;
    const heads = columns.map(([name]) => element("th", { scope: "col" }, key(name), element("br"), name));
    head.replaceChildren(...(columns.length > 1 ? [element("tr", {}, element("th"), ...heads)] : []));
    body.replaceChildren(
      ...ROWS.map(([name, unit, written]) => {
        const cells = columns.map(([of, numbers]) => element("td", { className: `of-${of}` }, written(numbers)));
        return element("tr", {}, element("th", { scope: "row" }, unit ? `${name}, ${unit}` : name), ...cells);
      }),
    );
  }

  /** A list of what is drawn, `[name, text]` each; empty where there is one line alone. */
  function legend(box, entries) {
    box.replaceChildren(
      ...(entries.length > 1 ? entries : []).map(([name, text]) => element("li", {}, key(name), text)),
    );
  }

  /** What a cursor points at: time, current, voltage. */
  function pointed({ samples, answer, dt }, index) {
    const numbers = [
      `${Words.digits(index * dt, 1)} ms`,
      `${Words.digits(samples[index], 3)} nA`,
      `${Words.digits(answer.voltage[index], 1)} mV`,
    ];
    return numbers.join("  ·  ");
  }

  return { legend, pointed, table };
})();
