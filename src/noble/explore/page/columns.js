"use strict";
/* A recorded current from columns of text, such as a CSV file. */
const Columns = (() => {
  const LARGEST_NA = 5;
  const MOST_MS = 10000;
  const TIMES = { s: 1e3, ms: 1, us: 1e-3, µs: 1e-3, μs: 1e-3 };
  const CURRENTS = { a: 1e9, ma: 1e6, ua: 1e3, µa: 1e3, μa: 1e3, na: 1, pa: 1e-3 };

  /**
   * Values in nA and their distance in ms, of a text with columns of time and current.
   *
   * Units are taken from the header: `time (ms)`, `current_pA`, `I [nA]`. Without a header they are ms and nA.
   * Throws an error of one sentence if it is something else.
   */
  function parse(text) {
    const lines = text
      .split(/\r\n|\r|\n/)
      .map((line) => line.trim())
      .filter((line) => line && !line.startsWith("#"));
    if (!lines.length) throw new Error("The file is empty; expected columns of time and current.");
    const separator = lines[0].includes("\t")
      ? /\t/
      : lines[0].includes(";")
        ? /;/
        : lines[0].includes(",")
          ? /,/
          : /\s+/;
    const rows = lines.map((line) => line.split(separator).map((cell) => cell.trim()));
    const isNumber = (cell) => cell !== "" && Number.isFinite(Number(cell));
    const header = rows[0].every(isNumber) ? null : rows.shift();
    const { time, current } = header ? columnsOf(header) : columnsWithout(rows[0]);
    const times = [];
    const values = [];
    rows.forEach((row, index) => {
      const cells = [row[time.column], row[current.column]];
      if (!cells.every((cell) => cell !== undefined && isNumber(cell)))
        throw new Error(
          `Line ${index + (header ? 2 : 1)} is “${row.join(", ").slice(0, 60)}”; expected numbers of time and current.`,
        );
      times.push(Number(cells[0]) * time.factor);
      values.push(Number(cells[1]) * current.factor);
    });
    return checked(times, values);
  }

  function columnsWithout(row) {
    if (!row || row.length < 2) throw new Error("The file has one column; expected time (ms) and current (nA).");
    return { time: { column: 0, factor: 1 }, current: { column: 1, factor: 1 } };
  }

  function columnsOf(header) {
    const found = (units, what) => {
      for (let column = 0; column < header.length; column++) {
        const words = header[column]
          .toLowerCase()
          .split(/[^a-zµμ]+/)
          .filter(Boolean)
          .reverse();
        const unit = words.find((word) => word in units);
        if (unit) return { column, factor: units[unit] };
      }
      throw new Error(`The header is “${header.join(", ").slice(0, 80)}”; expected ${what}.`);
    };
    return {
      time: found(TIMES, "a column whose name ends in s or ms"),
      current: found(CURRENTS, "a column whose name ends in pA or nA"),
    };
  }

  function checked(times, values) {
    if (times.length < 2) throw new Error("The file holds fewer than two samples; expected a current.");
    const every = (times[times.length - 1] - times[0]) / (times.length - 1);
    if (!(every > 0)) throw new Error("The times do not ascend; expected one sample after the other.");
    const off = times.findIndex((time, index) => Math.abs(time - times[0] - index * every) > 0.1 * every);
    if (off >= 0)
      throw new Error(`The times are not uniform at sample ${off + 1}; resample the current to a constant interval.`);
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (largest > LARGEST_NA)
      throw new Error(
        `The current reaches ${largest.toPrecision(3)} nA; a somatic one is expected within ±${LARGEST_NA} nA. If it is in pA, name the unit in the header.`,
      );
    if (every * times.length > MOST_MS)
      throw new Error(
        `The current lasts ${Math.round(every * times.length)} ms; the page takes up to ${MOST_MS} ms. Cut a piece out of it.`,
      );
    return { dt_ms: Number(every.toPrecision(9)), values: Float32Array.from(values) };
  }

  return { parse };
})();
