"""Synapses on an operator: a conductance g(t) injects g (E - V), so that the voltage of one step decides the current of the next.

    python examples/closed_loop/conductance.py BUNDLE -o conductance.png

Excitatory and inhibitory synapses fire at random. Each opens a conductance that decays within milliseconds, and the current
that it drives depends on the voltage: near its reversal potential it drives none, which a current that is fixed in advance
cannot do.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import noble

DT_MS, STEP_SAMPLES = 0.06, 4
EXCITATION = {"rate_hz": 900.0, "peak_ns": 1.5, "decay_ms": 3.0, "reversal_mv": 0.0}
INHIBITION = {"rate_hz": 500.0, "peak_ns": 2.0, "decay_ms": 8.0, "reversal_mv": -80.0}


def conductance_ns(
    generator: np.random.Generator, count: int, *, rate_hz: float, peak_ns: float, decay_ms: float, **_: float
) -> np.ndarray:
    """Conductance at each sample, nS: it jumps by the peak at each event of a Poisson process, and decays."""
    events = generator.poisson(rate_hz * DT_MS * 1e-3, count)
    values, decay = np.zeros(count), np.exp(-DT_MS / decay_ms)
    for sample in range(1, count):
        values[sample] = values[sample - 1] * decay + peak_ns * events[sample]
    return values


def main() -> None:
    """Close the loop, print a summary and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("operator", help="bundle, or name of a shipped one, that learned any current")
    parser.add_argument("-o", "--output", default="conductance.png")
    parser.add_argument("--duration-ms", type=float, default=500.0)
    parser.add_argument(
        "--rheobase-na", type=float, default=0.157, help="of the neuron; its other features are completed"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    operator, generator = noble.load(options.operator), np.random.default_rng(options.seed)
    neuron = {"rheobase": options.rheobase_na}
    count = int(options.duration_ms / DT_MS) // STEP_SAMPLES * STEP_SAMPLES
    excitation, inhibition = (conductance_ns(generator, count, **kind) for kind in (EXCITATION, INHIBITION))

    stream = operator.stream(neuron, dt_ms=DT_MS)
    stream.advance(np.zeros(STEP_SAMPLES))
    voltage, spikes, current = [], [], []
    for start in range(0, count, STEP_SAMPLES):
        now_mv = float(stream.voltage_now_mv()[0])
        part = slice(start, start + STEP_SAMPLES)
        drive = excitation[part] * (EXCITATION["reversal_mv"] - now_mv)
        drive += inhibition[part] * (INHIBITION["reversal_mv"] - now_mv)
        drive *= 1e-3  # nS mV is pA
        piece = stream.advance(drive)
        voltage.append(piece.voltage_mv[0])
        spikes.append(piece.spikes_ms[0])
        current.append(drive)

    answered, fired = np.concatenate(voltage), np.concatenate(spikes)
    print(f"{len(fired)} spikes in {options.duration_ms:g} ms, {1e3 * len(fired) / options.duration_ms:.0f} Hz")
    figure, axes = plt.subplots(3, 1, figsize=(8, 6), sharex=True, layout="constrained")
    axes[0].plot(np.arange(answered.size) * DT_MS, answered, color="black", linewidth=0.8)
    axes[0].set_ylabel("voltage (mV)")
    times = np.arange(count) * DT_MS
    axes[1].plot(times, excitation, label="excitation", color="tab:red", linewidth=0.8)
    axes[1].plot(times, inhibition, label="inhibition", color="tab:blue", linewidth=0.8)
    axes[1].set_ylabel("conductance (nS)")
    axes[1].legend(frameon=False)
    axes[2].plot(times, np.concatenate(current), color="gray", linewidth=0.8)
    axes[2].set(ylabel="current (nA)", xlabel="time (ms)")
    figure.savefig(options.output, dpi=150)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
