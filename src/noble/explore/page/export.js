"use strict";
/* What can be taken away: a picture, the numbers as CSV, and the Python that makes the same. */
const Export = (() => {
  function save(name, blob) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  /** Columns of time, current and voltages, with units in their names. */
  function csv(samples, dt, columns) {
    const named = Object.entries(columns).filter(([, values]) => values);
    const lines = [["time_ms", "current_na", ...named.map(([name]) => `${name}_mv`)].join(",")];
    for (let index = 0; index < samples.length; index++)
      lines.push(
        [
          Number((index * dt).toFixed(6)),
          Number(samples[index].toPrecision(8)),
          ...named.map(([, values]) => values[index].toFixed(4)),
        ].join(","),
      );
    return `${lines.join("\n")}\n`;
  }

  /** The lines of Python that give the same voltage. */
  function python({ told, known, current, dt, count, file }) {
    const line = Stimuli.python(current);
    const neuron = Object.entries(known)
      .map(([name, value]) => `    ${JSON.stringify(name)}: ${value},`)
      .join("\n");
    const durationMs = Number((count * dt).toFixed(6));
    return [
      "import noble",
      ...(line ? [] : ["import numpy as np"]),
      "",
      "# The name of a shipped operator, or the folder of your own",
      `operator = noble.load(${JSON.stringify(told.name)})`,
      ...(neuron ? ["neuron = {", neuron, "}"] : ["neuron = {}"]),
      ...(line
        ? [`stimulus = ${line}`]
        : [
            "# The CSV that the page exports",
            `samples = np.loadtxt(${JSON.stringify(file)}, delimiter=",", skiprows=1, usecols=1)`,
            `stimulus = noble.Sampled(samples, dt_ms=${dt})`,
          ]),
      `traces = operator.predict(neuron, stimulus, duration_ms=${durationMs}, dt_ms=${dt})`,
      'print(float(traces["voltage"].max()))',
      "",
    ].join("\n");
  }

  /** Canvases below each other, with a title and a line of text, as one picture. */
  async function picture(canvases, title, text) {
    const scale = devicePixelRatio || 1;
    const width = Math.max(...canvases.map((canvas) => canvas.width));
    const [above, below] = [44 * scale, 34 * scale];
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = above + below + canvases.reduce((sum, item) => sum + item.height, 0);
    const pen = canvas.getContext("2d");
    pen.fillStyle = Colours.named("card");
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = Colours.named("ink");
    pen.font = `600 ${16 * scale}px ${Colours.named("font")}`;
    pen.fillText(title, 16 * scale, 28 * scale);
    let top = above;
    for (const item of canvases) {
      pen.drawImage(item, 0, top);
      top += item.height;
    }
    pen.fillStyle = Colours.named("muted");
    pen.font = `${12 * scale}px ${Colours.named("font")}`;
    pen.fillText(text, 16 * scale, top + 20 * scale, width - 32 * scale);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  return { csv, picture, python, save };
})();
