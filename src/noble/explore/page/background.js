"use strict";
/* Work that may come later than the next frame: the F-I curve and the family's spread, in a worker where there can be one. */
const Background = (() => {
  const STEP = { kind: "step", start_ms: 15, stop_ms: 415 };
  const WINDOW_MS = 435;

  /** Firing rate at a step of 400 ms, Hz. */
  function rateAt(operator, features, amplitude, dt) {
    const samples = Stimuli.sample({ ...STEP, amplitude_na: amplitude }, Math.floor(WINDOW_MS / dt), dt);
    const { spikes } = operator.respond(features, samples, dt, false);
    return Measure.rate(spikes, STEP.start_ms, STEP.stop_ms);
  }

  /** Answers to jobs, one part at a time: `work(told, job, part)` gives what a part is. */
  function work(operators, told, job, part) {
    if (!operators.has(told)) operators.set(told, new Operators.Operator(told));
    const operator = operators.get(told);
    if (job.kind === "fi") return { rate: rateAt(operator, job.features, job.amplitudes[part], job.dt) };
    return operator.respond(job.neurons[part], job.samples, job.dt);
  }

  /* What the worker runs beside the computing files; its messages are {bundle, told} once, then {job}. */
  function inWorker() {
    const bundles = [];
    const operators = new Map();
    const waiting = new Map();
    const channel = new MessageChannel();
    let going = false;
    const next = () => {
      const [kind, entry] = waiting.entries().next().value ?? [];
      if (!entry) {
        going = false;
        return;
      }
      const { job } = entry;
      const result = work(operators, bundles[job.bundle], job, entry.part);
      postMessage({ id: job.id, kind, part: entry.part, result });
      entry.part += 1;
      waiting.delete(kind); // the kinds take turns
      if (entry.part < job.parts) waiting.set(kind, entry);
      channel.port2.postMessage(0); // so that a newer job is heard between two parts
    };
    channel.port1.onmessage = next;
    self.onmessage = ({ data }) => {
      if (data.told) {
        bundles[data.bundle] = data.told;
        return;
      }
      waiting.delete(data.job.kind);
      if (data.job.parts) waiting.set(data.job.kind, { job: data.job, part: 0 });
      if (!going) {
        going = true;
        next();
      }
    };
  }

  /** Takes jobs; of one kind only the newest counts. `heard(message)` is called for each part. */
  class Helper {
    constructor(bundles, heard) {
      this.heard = heard;
      this.newest = {};
      this.count = 0;
      this.receive = (message) => {
        if (this.newest[message.kind] === message.id) this.heard(message);
      };
      try {
        const own = [
          `const STEP = ${JSON.stringify(STEP)};`,
          `const WINDOW_MS = ${WINDOW_MS};`,
          rateAt,
          work,
          `(${inWorker})();`,
        ];
        const source = [document.getElementById("computing").textContent, ...own].join("\n");
        this.worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
        this.worker.onmessage = ({ data }) => this.receive(data);
        this.worker.onerror = () => this.withoutWorker(bundles);
        bundles.forEach((told, bundle) => this.worker.postMessage({ bundle, told }));
      } catch {
        this.withoutWorker(bundles);
      }
    }

    /** The same in pieces between frames, where a browser lets a page from a file have no worker. */
    withoutWorker(bundles) {
      this.worker = null;
      this.bundles = bundles;
      this.operators = new Map();
    }

    /** Begin a job of a kind and forget the one before; `parts` of it come one by one. */
    ask(job) {
      const asked = { ...job, id: ++this.count };
      this.newest[job.kind] = asked.id;
      if (this.worker) this.worker.postMessage({ job: asked });
      else if (asked.parts) this.slice(asked, 0);
    }

    slice(job, part) {
      setTimeout(() => {
        if (this.newest[job.kind] !== job.id) return;
        this.receive({
          id: job.id,
          kind: job.kind,
          part,
          result: work(this.operators, this.bundles[job.bundle], job, part),
        });
        if (part + 1 < job.parts) this.slice(job, part + 1);
      }, 8);
    }
  }

  return { Helper, rateAt };
})();
