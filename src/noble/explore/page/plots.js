"use strict";
/* Traces and the F-I curve, drawn by uPlot. */
const Plots = (() => {
  const AXIS = 58;
  const RASTER_MV = [58, 96];

  const font = () => `12px ${Colours.named("font")}`;

  function axis(label, more = {}) {
    return {
      label,
      labelFont: font(),
      font: font(),
      labelSize: 22,
      labelGap: 2,
      size: 34,
      gap: 5,
      stroke: () => Colours.named("muted"),
      grid: { stroke: () => Colours.named("faint"), width: 1 },
      ticks: { stroke: () => Colours.named("line"), width: 1, size: 4 },
      values: (_, values) => values.map((value) => String(Number(value.toPrecision(9))).replace("-", "−")),
      ...more,
    };
  }

  const upright = (label, more = {}) => axis(label, { size: AXIS - 22, ...more });

  /** A plot that fills its box; `height` of it, px. */
  function fill(options, data, box, height) {
    const plot = new uPlot({ ...options, width: Math.max(box.clientWidth, 100), height }, data, box);
    const observer = new ResizeObserver(() => {
      if (box.clientWidth && box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height });
    });
    observer.observe(box);
    const { destroy } = plot;
    plot.destroy = () => {
      observer.disconnect();
      destroy.call(plot);
    };
    return plot;
  }

  const common = { legend: { show: false }, pxAlign: 0, padding: [8, 10, 0, 0] };

  /**
   * Voltage of the neuron, a held one and the simulator's, band of a family and its spikes as a raster.
   * `pointed(index)` is called with the sample under the cursor, or null.
   */
  function voltage(box, height, pointed) {
    const line = (stroke, width, more = {}) => ({
      stroke: () => Colours.named(stroke),
      width,
      points: { show: false },
      ...more,
    });
    const trains = { rows: [] };
    const plot = fill(
      {
        ...common,
        cursor: { drag: { x: true, y: false }, sync: { key: "time" }, points: { size: 7 } },
        scales: {
          x: { time: false },
          mv: {
            range: (_, low, high) => [
              Math.min(-105, low - 3),
              trains.rows.length ? RASTER_MV[1] + 4 : Math.max(50, high + 3),
            ],
          },
        },
        axes: [
          axis("Time (ms)"),
          upright("Voltage (mV)", {
            scale: "mv",
            splits: (u) => [-120, -100, -80, -60, -40, -20, 0, 20, 40].filter((v) => v >= u.scales.mv.min),
          }),
        ],
        series: [
          {},
          line("none", 0, { scale: "mv" }),
          line("none", 0, { scale: "mv" }),
          line("truth", 5, { scale: "mv" }),
          line("held", 1.5, { scale: "mv", dash: [7, 4] }),
          line("neuron", 1.7, { scale: "mv" }),
        ],
        bands: [{ series: [2, 1], fill: () => Colours.named("band") }],
        hooks: { draw: [(u) => raster(u, trains.rows)], setCursor: [(u) => pointed(u.cursor.idx)] },
      },
      [
        [0, 1],
        [null, null],
        [null, null],
        [null, null],
        [null, null],
        [null, null],
      ],
      box,
      height,
    );
    return { plot, trains };
  }

  /** A row of ticks a neuron, above the voltage. */
  function raster(u, rows) {
    if (!rows.length) return;
    const pen = u.ctx;
    const top = u.valToPos(RASTER_MV[1], "mv", true);
    const bottom = u.valToPos(RASTER_MV[0], "mv", true);
    const tall = (bottom - top) / rows.length;
    pen.save();
    pen.beginPath();
    pen.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    pen.clip();
    pen.fillStyle = Colours.named("neuron");
    pen.globalAlpha = 0.75;
    const wide = Math.max(1, devicePixelRatio);
    rows.forEach((spikes, row) => {
      for (const time of spikes)
        pen.fillRect(u.valToPos(time, "x", true) - wide / 2, top + row * tall, wide, Math.max(0.8 * tall, 1));
    });
    pen.restore();
  }

  /** The current, and its vertical range while somebody draws on it; what is done with the pointer is the editor's business. */
  function current(box, height) {
    const frozen = { range: null };
    const nothing = axis("", { size: 6, labelSize: 0, values: () => [], ticks: { show: false } });
    const plot = fill(
      {
        ...common,
        cursor: { drag: { x: false, y: false }, sync: { key: "time" }, points: { size: 7 } },
        scales: { x: { time: false }, na: { range: (_, low, high) => frozen.range ?? currentRange(low, high) } },
        axes: [nothing, upright("Current (nA)", { scale: "na", space: 26 })],
        series: [
          {},
          {
            scale: "na",
            stroke: () => Colours.named("ink"),
            width: 1.5,
            points: { show: false },
            fill: () => Colours.named("shade"),
          },
        ],
      },
      [
        [0, 1],
        [null, null],
      ],
      box,
      height,
    );
    return { plot, frozen };
  }

  function currentRange(low, high) {
    const [least, most] = [Math.min(low ?? 0, -0.05), Math.max(high ?? 0, 0.3)];
    const beyond = 0.1 * (most - least);
    return [least - beyond, most + beyond];
  }

  /** Firing rate over the amplitude of a step; `chosen(amplitude)` is called for a click. */
  function fi(box, height, chosen) {
    const mark = { amplitude: null };
    const curve = (stroke, more = {}) => ({
      stroke: () => Colours.named(stroke),
      width: 1.8,
      spanGaps: true,
      points: { show: true, size: 5, fill: () => Colours.named(stroke) },
      ...more,
    });
    const plot = fill(
      {
        ...common,
        cursor: { drag: { x: false, y: false }, points: { size: 7 } },
        scales: { x: { time: false }, hz: { range: (_, low, high) => [0, Math.max(20, 1.08 * (high ?? 0))] } },
        axes: [axis("Step (nA)", { space: 60 }), upright("Rate (Hz)", { scale: "hz" })],
        series: [
          {},
          curve("held", { scale: "hz", dash: [6, 4], points: { show: false } }),
          curve("neuron", { scale: "hz", points: { show: false } }),
          curve("ink", {
            scale: "hz",
            width: 0,
            points: { show: true, size: 8, width: 1.4, fill: "transparent", stroke: () => Colours.named("ink") },
          }),
        ],
        hooks: { draw: [(u) => markAt(u, mark.amplitude)] },
      },
      [
        [0, 1],
        [null, null],
        [null, null],
        [null, null],
      ],
      box,
      height,
    );
    plot.over.addEventListener("click", (event) => {
      const edge = plot.over.getBoundingClientRect();
      chosen(plot.posToVal(event.clientX - edge.left, "x"));
    });
    return { plot, mark };
  }

  /** A line at the amplitude that is shown. */
  function markAt(u, amplitude) {
    if (amplitude === null || amplitude < u.scales.x.min || amplitude > u.scales.x.max) return;
    const x = u.valToPos(amplitude, "x", true);
    u.ctx.save();
    u.ctx.strokeStyle = Colours.named("muted");
    u.ctx.lineWidth = devicePixelRatio;
    u.ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    u.ctx.beginPath();
    u.ctx.moveTo(x, u.bbox.top);
    u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
    u.ctx.stroke();
    u.ctx.restore();
  }

  return { current, fi, voltage };
})();
