"""A GIF for each training model, fitted to the store's training noise, beside an operator, on noise of another split.

    python experiments/any_current/gif.py STORE --operator BUNDLE --split validation --json gif.json

Means over traces, as `noble evaluate` defines them. The GIF is told each model's own traces; the operator its features.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from noble import load
from noble.baselines import GIF
from noble.data import Store
from noble.evaluation.metrics import matched_errors_ms
from noble.files import write_json
from noble.spikes import coincidence_factor
from noble.stimuli import OrnsteinUhlenbeck
from noble.traces import TimeGrid


def noise_of(store: Store, split: str) -> np.ndarray:
    """Samples of a split whose current is noise alone."""
    indices = store.indices(split)
    return indices[[isinstance(store.stimulus(int(row)), OrnsteinUhlenbeck) for row in indices]]


def scores(true: list[np.ndarray], found: list[np.ndarray], duration_ms: float) -> dict[str, float]:
    """Coincidence, count error and time errors of matched spikes."""
    pairs = list(zip(true, found, strict=True))
    spikes = sum(map(len, true))
    errors = np.concatenate([matched_errors_ms(*pair, window_ms=4.0) for pair in pairs])
    return {
        "traces": len(pairs),
        "spikes": spikes,
        **{
            f"coincidence_{window}ms": float(
                np.nanmean([coincidence_factor(*pair, duration_ms=duration_ms, window_ms=window) for pair in pairs])
            )
            for window in (1, 4)
        },
        "count_error_percent": 100 * sum(abs(len(one) - len(other)) for one, other in pairs) / max(1, spikes),
        "matched_time_median_ms": float(np.median(np.abs(errors))),
        "matched_time_p90_ms": float(np.quantile(np.abs(errors), 0.9)),
    }


def main() -> None:
    """Fit, compare and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--operator", required=True)
    parser.add_argument("--split", default="validation")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    store, operator = Store.open(options.store), load(options.operator)
    grid = TimeGrid.spanning(store.protocol.window_ms, dt_ms=store.grid.dt_ms)
    training, asked = noise_of(store, "train"), noise_of(store, options.split)
    names = list(store.feature_names)
    true, of_gif, of_operator = [], [], []
    for model in np.unique(store.model_index[asked]):
        learned = store.read(training[store.model_index[training] == model])
        own = asked[store.model_index[asked] == model]
        gif = GIF.fit(
            learned.current_na[:, : grid.count],
            learned.voltage_mv[:, : grid.count],
            [learned.spikes[row] for row in range(len(learned.voltage_mv))],
            dt_ms=grid.dt_ms,
        )
        traces = store.read(own)
        features = {name: store.feature_table[model, names.index(name)] for name in operator.feature_names}
        stimuli = [store.stimulus(int(row)) for row in own]
        answered = operator.spike_times(
            {name: np.full(len(own), value) for name, value in features.items()}, stimuli, grid
        )
        for row in range(len(own)):
            train = traces.spikes[row]
            true.append(train[train < grid.duration_ms])
            of_gif.append(gif.simulate(traces.current_na[row, : grid.count], dt_ms=grid.dt_ms)[1])
            of_operator.append(answered[row])
    found = {
        "split": options.split,
        "store": store.digest,
        "gif": scores(true, of_gif, grid.duration_ms),
        "operator": scores(true, of_operator, grid.duration_ms),
    }
    print(json.dumps(found, indent=2))
    if options.json is not None:
        write_json(options.json, found)


if __name__ == "__main__":
    main()
