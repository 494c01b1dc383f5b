"""The plan of a data set: model, stimulus, split and seed of every sample, decided before anything is simulated.

Models are split by the hall (training, held out), currents by independent draws. Sample `i` is drawn from the seed
sequence with spawn key `(i,)`, so it depends on the global seed, `i` and its split alone, never on the order.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from noble.data.config import AmplitudeConfig, GenerationConfig, TraceCounts
from noble.data.draw import Draws
from noble.data.laws import law_named
from noble.data.schema import PAYLOAD_ARRAYS, PLAN_ARRAYS, SPLITS
from noble.data.seeding import generators, sample_seeds
from noble.data.stimulus_table import StimulusTable
from noble.stimuli import Stimulus

if TYPE_CHECKING:
    from noble.cells.hall import HallOfFame

# A range that keeps less than this share of the distribution makes rejection slow, and is surely not what was meant.
SMALLEST_SHARE_KEPT: Final = 0.01


@dataclass(frozen=True, eq=False)
class Plan:
    """Every sample of a data set, before simulation.

    Attributes:
        stimuli: of the samples.
        model_index: shape (samples,), int32, position in the hall.
        split: shape (samples,), int8 codes.
        seed: shape (samples,), uint64, seed of the generator that drew the sample.
    """

    stimuli: StimulusTable
    model_index: np.ndarray
    split: np.ndarray
    seed: np.ndarray

    def __len__(self) -> int:
        return self.model_index.size

    def stimulus(self, index: int) -> Stimulus:
        """The stimulus of one sample."""
        return self.stimuli[index]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays that a store keeps, in the schema's order; those of payloads only where there are some."""
        table = self.stimuli
        arrays = {
            "stimulus_kind": table.kind,
            "stimulus_parameters": table.parameters,
            "model_index": self.model_index,
            "split": self.split,
            "seed": self.seed,
        }
        if len(table.payloads):
            arrays |= {
                "stimulus_payload_index": table.payload_index,
                "stimulus_payload_offsets": table.payloads.offsets,
                "stimulus_payload": table.payloads.content,
            }
        return arrays

    @property
    def digest(self) -> str:
        """SHA-256 over those arrays, little-endian, in that order."""
        digest, dtypes = hashlib.sha256(), PLAN_ARRAYS | PAYLOAD_ARRAYS
        for name, values in self.arrays.items():
            dtype = dtypes[name][0]
            array = np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<"))
            digest.update(f"{name}:{dtype}:{array.shape}\n".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    @classmethod
    def join(cls, plans: Sequence[Plan]) -> Plan:
        """All samples of several plans, in order."""
        if len(plans) == 1:
            return plans[0]
        return cls(
            StimulusTable.join([plan.stimuli for plan in plans]),
            *(np.concatenate([getattr(plan, name) for plan in plans]) for name in ("model_index", "split", "seed")),
        )


@dataclass(frozen=True)
class AmplitudeDistribution:
    """A skew-normal (Azzalini, Scand. J. Stat. 12, 1985) truncated to a range by rejection, or, so often, anywhere in the range.

    Attributes:
        location_na, scale_na, skewness: its parameters xi, omega (nA) and alpha.
        low_na, high_na: the range, nA.
        uniform: share of amplitudes drawn uniformly from the range.
    """

    location_na: float
    scale_na: float
    skewness: float
    low_na: float
    high_na: float
    uniform: float = 0.0

    @classmethod
    def with_mode(cls, config: AmplitudeConfig, *, mode_na: float) -> AmplitudeDistribution:
        """The distribution whose most frequent amplitude is `mode_na`.

        Raises:
            ValueError: if the mode is outside the range, or the range keeps almost nothing of the distribution.
        """
        from scipy.stats import skewnorm

        if not config.low_na < mode_na < config.high_na:
            raise ValueError(
                f"the amplitudes' mode is {mode_na:g} nA (the family's mean threshold, unless mode_na is given) but "
                f"their range is {config.low_na:g} to {config.high_na:g} nA; widen low_na and high_na around it."
            )
        location = mode_na - config.scale_na * standard_mode(config.skewness)
        law = skewnorm(config.skewness, loc=location, scale=config.scale_na)
        kept = float(law.cdf(config.high_na) - law.cdf(config.low_na))
        if kept < SMALLEST_SHARE_KEPT:
            raise ValueError(
                f"the range {config.low_na:g} to {config.high_na:g} nA keeps {kept:.2g} of amplitudes with scale_na "
                f"{config.scale_na:g}; choose a scale_na of the order of the range."
            )
        return cls(location, config.scale_na, config.skewness, config.low_na, config.high_na, config.uniform)

    def draw_na(self, generator: np.random.Generator) -> float:
        """One amplitude, nA, by Azzalini's representation `delta |Z0| + sqrt(1 - delta^2) Z1`."""
        if self.uniform and generator.random() < self.uniform:
            return float(generator.uniform(self.low_na, self.high_na))
        delta = self.skewness / math.sqrt(1 + self.skewness**2)
        rest = math.sqrt(1 - delta**2)
        normal = generator.standard_normal
        while True:
            value = self.location_na + self.scale_na * (delta * abs(normal()) + rest * normal())
            if self.low_na <= value <= self.high_na:
                return float(value)


def standard_mode(skewness: float) -> float:
    """Where the standard skew-normal density `2 phi(x) Phi(alpha x)` is largest, to 9 decimals.

    The root of its logarithm's derivative, `x = alpha phi(alpha x) / Phi(alpha x)`; rounded, so that the last bits of
    another machine's mathematics library do not make another data set.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    alpha = abs(skewness)

    def slope(value: float) -> float:
        return float(alpha * np.exp(norm.logpdf(alpha * value) - norm.logcdf(alpha * value)) - value)

    # The mode lies between that of a normal (0) and the mean of a half normal (0.8).
    return float(np.copysign(round(brentq(slope, 0.0, 1.0, xtol=1e-13), 9), skewness))  # type: ignore[arg-type]


def threshold_mode_na(config: AmplitudeConfig, hall: HallOfFame) -> float:
    """The configured mode, or the mean threshold current of the hall's training models, nA.

    Raises:
        ValueError: if the hall does not know the thresholds.
    """
    if config.mode_na is not None:
        return config.mode_na
    thresholds = [hall.models[index].features.get("rheobase", np.nan) for index in hall.train]
    if not np.all(np.isfinite(thresholds)):
        raise ValueError(f"hall {hall.name} has no rheobase for all training models; give amplitude.mode_na.")
    return math.fsum(thresholds) / len(thresholds)


def draw_plan(config: GenerationConfig, hall: HallOfFame) -> Plan:
    """Decide every sample of a data set.

    Raises:
        ValueError: if a split asks for models that the hall does not have, or the amplitudes cannot be drawn.
    """
    _check_models(config.traces, hall)
    amplitudes = AmplitudeDistribution.with_mode(config.amplitude, mode_na=threshold_mode_na(config.amplitude, hall))
    splits = np.repeat(np.arange(len(SPLITS), dtype=np.int8), [getattr(config.traces, split) for split in SPLITS])
    seeds = sample_seeds(config.seed, splits.size)
    models, draws = _drawn(config, hall, amplitudes, splits, seeds)
    plan = Plan(draws.stimuli(config), models, splits, seeds)
    check_shared([plan])
    return plan


def _drawn(
    config: GenerationConfig,
    hall: HallOfFame,
    amplitudes: AmplitudeDistribution,
    splits: np.ndarray,
    seeds: np.ndarray,
) -> tuple[np.ndarray, Draws]:
    """Models, and what is random in the stimuli; each sample asks its own generator, in this order."""
    names = tuple(config.mix.shares)
    for name in names:
        law_named(name)
    # As `Generator.choice` with probabilities, which takes ten times as long.
    cumulative = np.cumsum(list(config.mix.shares.values()))
    cumulative /= cumulative[-1]
    train, held_out = tuple(hall.train), tuple(hall.held_out)
    count, unseen = splits.size, SPLITS.index("unseen_models")
    models, laws = np.empty(count, dtype=np.int32), np.empty(count)
    amplitude_na, stimulus_seeds = np.empty(count), np.empty(count, dtype=np.int64)
    for row, (split, generator) in enumerate(zip(splits.tolist(), generators(seeds), strict=True)):
        choices = held_out if split == unseen else train
        models[row] = choices[generator.integers(len(choices))]
        amplitude_na[row] = amplitudes.draw_na(generator)
        laws[row] = generator.random()
        stimulus_seeds[row] = generator.integers(2**32)
    rheobase_na = np.array([model.features.get("rheobase", np.nan) for model in hall.models])[models]
    return models, Draws(
        amplitude_na, rheobase_na, np.searchsorted(cumulative, laws, side="right"), stimulus_seeds, names
    )


def check_shared(plans: Sequence[Plan]) -> None:
    """Refuse plans in which a test sample equals one that training sees.

    Raises:
        ValueError: saying how many.
    """
    shared = shared_samples(Plan.join(plans))
    if shared:
        raise ValueError(
            f"{shared} test samples equal a sample that training sees; widen the amplitudes' range, "
            "give recorded currents a factor, or change the seed."
        )


def shared_samples(plan: Plan) -> int:
    """Number of test samples whose model and stimulus equal those of a training or validation sample."""
    keys = np.ascontiguousarray(np.column_stack([plan.model_index, plan.stimuli.key_columns]))
    rows = keys.view(f"S{keys.shape[1] * keys.itemsize}")[:, 0]  # compared as bytes, not as numbers
    learned = (plan.split == SPLITS.index("train")) | (plan.split == SPLITS.index("validation"))
    return int(np.isin(rows[plan.split == SPLITS.index("test")], rows[learned]).sum())


def _check_models(traces: TraceCounts, hall: HallOfFame) -> None:
    if traces.train + traces.validation + traces.test > 0 and not hall.train:
        raise ValueError(f"hall {hall.name} has no training models; mark fewer models as held out.")
    if traces.unseen_models > 0 and not hall.held_out:
        raise ValueError(
            f"traces.unseen_models is {traces.unseen_models} but hall {hall.name} holds out no model; "
            "set it to 0 or use a hall with held-out models."
        )
