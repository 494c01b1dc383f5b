"""A GIF and an iGIF of one recorded neuron, on repeats of a current that they were not fitted to.

    python experiments/twin/baselines.py RECORDINGS --json experiments/twin/baselines.json

RECORDINGS is the folder `DRN162_5HT` of github.com/apayeur/GIF-K. Choices are made by the likelihood of the last 15 % of the
training noise, of models fitted to the first 85 %; the chosen ones are then fitted to all of it. The repeats are looked at once.
"""

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from noble.baselines import GIF, IGIF, GIFSettings, IGIFSettings, IntegrateAndFire
from noble.comparison.calibration import Calibration, calibration, rescaled_intervals
from noble.comparison.reliability import reliability
from noble.comparison.subthreshold import voltage_explained
from noble.files import write_json
from noble.recordings import RawSweep, read_sweeps
from noble.recordings.electrode import series_resistance_mohm, without_electrode
from noble.results import plain

HELD_BACK = 0.15
DRAWN = 50
REFRACTORY_MS = (3.0, 5.0, 8.0)
TIMES_MS = {
    "to 120 ms": (2.0, 8.0, 30.0, 120.0),
    "to 500 ms": (3.0, 12.0, 50.0, 180.0, 500.0),
    "slow": (10.0, 50.0, 250.0),
}


def trace(sweep: RawSweep) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Current, voltage and spikes."""
    return sweep.commanded_na, sweep.trace.voltage_mv, sweep.peaks * sweep.trace.grid.dt_ms


def fitted(
    kind: type[GIF] | type[IGIF], data: tuple[np.ndarray, np.ndarray, np.ndarray], settings: GIFSettings, dt_ms: float
) -> GIF | IGIF:
    """A model of one trace."""
    current, voltage, spikes = data
    return kind.fit(current[None], voltage[None], [spikes], dt_ms=dt_ms, settings=settings)  # pyright: ignore[reportArgumentType]


def held_back_likelihood(
    kind: type[GIF] | type[IGIF], data: tuple[np.ndarray, np.ndarray, np.ndarray], settings: GIFSettings, dt_ms: float
) -> float:
    """Per spike of the part that is held back, above what a constant rate in all but refractory times has.

    The model is told the whole trace, so that what earlier spikes left is known there.
    """
    current, voltage, spikes = data
    cut = round((1 - HELD_BACK) * current.size)
    first = spikes[spikes < cut * dt_ms]
    model = fitted(kind, (current[:cut], voltage[:cut], first), settings, dt_ms)
    chance = model.told(current, spikes, dt_ms=dt_ms).hazard * dt_ms
    peaks = np.round(spikes / dt_ms).astype(int)
    late = peaks[peaks >= cut]
    fired, free = chance[late], chance[cut:].sum() - chance[late].sum()
    of_model = np.log(-np.expm1(-fired)).sum() - free
    constant = len(first) / (cut - len(first) * settings.refractory_ms / dt_ms)
    samples = (chance[cut:] > 0).sum() - len(late)
    return float(of_model - (len(late) * np.log(-np.expm1(-constant)) - constant * samples)) / len(late)


def chosen(data: tuple[np.ndarray, np.ndarray, np.ndarray], dt_ms: float) -> tuple[GIFSettings, dict[str, float]]:
    """Settings whose GIF explains best what is held back, and what each explains, in nats a spike."""
    found = {
        (refractory, times): held_back_likelihood(
            GIF,
            data,
            GIFSettings(refractory_ms=refractory, current_ms=TIMES_MS[times], threshold_ms=TIMES_MS[times]),
            dt_ms,
        )
        for refractory, times in product(REFRACTORY_MS, TIMES_MS)
    }
    refractory, times = max(found, key=lambda key: found[key])
    named = {f"refractory {refractory:g} ms, times {times}": value for (refractory, times), value in found.items()}
    return GIFSettings(refractory_ms=refractory, current_ms=TIMES_MS[times], threshold_ms=TIMES_MS[times]), named


def calibrated(
    model: IntegrateAndFire, sweeps: list[tuple[np.ndarray, np.ndarray, np.ndarray]], dt_ms: float
) -> Calibration:
    """The model told the spikes of each trace."""
    generator = np.random.default_rng(0)
    return calibration(
        [
            rescaled_intervals(
                model.told(current, spikes, dt_ms=dt_ms).hazard, spikes, dt_ms=dt_ms, generator=generator
            )
            for current, _, spikes in sweeps
        ]
    )


def measured(
    model: GIF | IGIF,
    training: tuple[np.ndarray, np.ndarray, np.ndarray],
    repeats: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    dt_ms: float,
) -> dict[str, Any]:
    """All measures of one model on the repeats, and its calibration on its own training data."""
    currents, voltages, spikes = (list(items) for items in zip(*repeats, strict=True))
    current = np.mean(currents, axis=0)  # one command, recorded ten times
    voltage, fired = model.simulate(current, dt_ms=dt_ms)
    generator = np.random.default_rng(0)
    drawn = [model.simulate(current, dt_ms=dt_ms, generator=generator)[1] for _ in range(DRAWN)]
    duration_ms = current.size * dt_ms
    of_drawn = reliability(drawn, duration_ms=duration_ms)
    return {
        "parameters": {name: value for name, value in vars(model).items() if name != "settings"},
        "model_spikes": {"deterministic": len(fired), "drawn": of_drawn.spikes},
        "drawn_fano_factor": of_drawn.fano_factor,
        "drawn_jitter_ms": of_drawn.jitter_ms,
        "drawn_reliability": {f"{window.window_ms:g}ms": window.reliability for window in of_drawn.windows},
        **reliability(spikes, duration_ms=duration_ms, deterministic=fired, drawn=drawn).to_dict(),
        "voltage": voltage_explained(np.stack(voltages), spikes, voltage, fired, dt_ms=dt_ms).to_dict(),
        "log_likelihood_per_spike": sum(model.log_likelihood(one, train, dt_ms=dt_ms) for one, _, train in repeats)
        / sum(map(len, spikes)),
        "training_log_likelihood_per_spike": model.log_likelihood(training[0], training[2], dt_ms=dt_ms)
        / len(training[2]),
        "calibration": calibrated(model, repeats, dt_ms).to_dict(),
        "calibration_training": calibrated(model, [training], dt_ms).to_dict(),
    }


def main() -> None:
    """Choose, fit, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--choices-only", action="store_true", help="do not look at the repeats")
    options = parser.parse_args()
    training = read_sweeps(options.recordings / "DRN162_5ht_training.abf").sweeps[0]
    dt_ms, series = training.trace.grid.dt_ms, series_resistance_mohm([training])
    raw, compensated = trace(training), trace(without_electrode(training, series or 0.0))
    settings, likelihoods = chosen(compensated, dt_ms)
    print(json.dumps(likelihoods, indent=2), flush=True)
    of_igif = IGIFSettings(**settings.model_dump())
    found: dict[str, Any] = {
        "series_resistance_mohm": series,
        "settings": settings.model_dump(),
        "held_back_nats_per_spike": {
            "gif": likelihoods,
            "gif, electrode left in": held_back_likelihood(GIF, raw, settings, dt_ms),
            "igif": held_back_likelihood(IGIF, compensated, of_igif, dt_ms),
        },
    }
    print(json.dumps(found, indent=2), flush=True)
    if options.choices_only:
        return
    sweeps = read_sweeps(options.recordings / "DRN162_5ht_test.abf").sweeps
    for name, kind, asked, mohm in (
        ("gif", GIF, settings, series or 0.0),
        ("gif, electrode left in", GIF, settings, 0.0),
        ("igif", IGIF, of_igif, series or 0.0),
    ):
        repeats = [trace(without_electrode(sweep, mohm)) for sweep in sweeps]
        data = raw if mohm == 0 else compensated
        found[name] = measured(fitted(kind, data, asked, dt_ms), data, repeats, dt_ms)
        print(name, json.dumps(found[name], indent=2), flush=True)
    if options.json is not None:
        write_json(options.json, plain(found))


if __name__ == "__main__":
    main()
