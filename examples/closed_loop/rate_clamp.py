"""A dynamic clamp that holds a firing rate: the current follows the spikes of the operator that it drives.

    python examples/closed_loop/rate_clamp.py BUNDLE -o rate_clamp.png

Every few milliseconds the controller compares the rate of the last spikes with the wanted one and moves the current a little
(proportional and integral control). Neurons of different rheobase are driven side by side; each finds its own current.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import noble

DT_MS, STEP_SAMPLES = 0.06, 80  # the controller acts every 4.8 ms
RATE_TAU_MS = 60.0
PROPORTIONAL_NA_PER_HZ, INTEGRAL_NA_PER_HZ_S = 2e-4, 4e-3


def main() -> None:
    """Close the loop, print a summary and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("operator", help="bundle, or name of a shipped one, that learned any current")
    parser.add_argument("-o", "--output", default="rate_clamp.png")
    parser.add_argument("--wanted-hz", type=float, default=40.0)
    parser.add_argument("--duration-ms", type=float, default=2000.0)
    parser.add_argument("--rheobases-na", type=float, nargs="+", default=[0.151, 0.157, 0.164])
    options = parser.parse_args()

    operator = noble.load(options.operator)
    stream = operator.stream({"rheobase": options.rheobases_na}, dt_ms=DT_MS)
    step_ms, neurons = DT_MS * STEP_SAMPLES, len(options.rheobases_na)
    rate, integral, told = np.zeros(neurons), np.array(options.rheobases_na), np.zeros(neurons)
    times, rates, currents = [], [], []
    for step in range(int(options.duration_ms / step_ms)):
        error = options.wanted_hz - rate
        integral += INTEGRAL_NA_PER_HZ_S * error * step_ms * 1e-3
        current = integral + PROPORTIONAL_NA_PER_HZ * error
        piece = stream.advance(np.repeat(current[:, None], STEP_SAMPLES, axis=1))
        fired = np.array([len(train) for train in piece.spikes_ms])
        decay = np.exp(-step_ms / RATE_TAU_MS)
        rate = rate * decay + (1 - decay) * 1e3 * fired / step_ms
        told += fired
        times.append((step + 1) * step_ms)
        rates.append(rate)
        currents.append(current)

    late = np.array(times) > options.duration_ms / 2
    held = np.array(rates)[late].mean(axis=0)
    for rheobase, reached, final in zip(options.rheobases_na, held, currents[-1], strict=True):
        print(f"rheobase {rheobase:.3f} nA: {reached:.1f} Hz in the second half, at {final:.3f} nA")
    figure, axes = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
    axes[0].plot(times, np.array(rates), linewidth=0.9)
    axes[0].axhline(options.wanted_hz, color="black", linestyle=":", linewidth=0.8)
    axes[0].set_ylabel("rate (Hz)")
    lines = axes[1].plot(times, np.array(currents), linewidth=0.9)
    axes[1].set(ylabel="current (nA)", xlabel="time (ms)")
    axes[1].legend(lines, [f"rheobase {value:g} nA" for value in options.rheobases_na], frameon=False)
    figure.savefig(options.output, dpi=150)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
