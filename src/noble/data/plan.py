"""The plan of a data set: model, stimulus, split and seed of every sample, decided before anything is simulated.

Models are split by the hall (training, held out), currents by independent draws. Sample `i` is drawn from the seed
sequence with spawn key `(i,)`, so it depends on the global seed, `i` and its split alone, never on the order.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from noble.data.config import AmplitudeConfig, GenerationConfig, StimulusMix, TraceCounts
from noble.data.schema import PLAN_DTYPES, SPLITS, decode_stimulus, encode_stimuli
from noble.stimuli import Chirp, OrnsteinUhlenbeck, Ramp, Step, Stimulus

if TYPE_CHECKING:
    from noble.cells.hall import HallOfFame

# A range that keeps less than this share of the distribution makes rejection slow, and is surely not what was meant.
SMALLEST_SHARE_KEPT: Final = 0.01


@dataclass(frozen=True)
class Plan:
    """Every sample of a data set, before simulation; the arrays are the store's own.

    Attributes:
        stimulus_kind: shape (samples,), int8 codes.
        stimulus_parameters: shape (samples, parameters), float64, NaN padded.
        model_index: shape (samples,), int32, position in the hall.
        split: shape (samples,), int8 codes.
        seed: shape (samples,), uint64, seed of the generator that drew the sample.
    """

    stimulus_kind: np.ndarray
    stimulus_parameters: np.ndarray
    model_index: np.ndarray
    split: np.ndarray
    seed: np.ndarray

    def __len__(self) -> int:
        return self.model_index.size

    def stimulus(self, index: int) -> Stimulus:
        """The stimulus of one sample."""
        return decode_stimulus(int(self.stimulus_kind[index]), self.stimulus_parameters[index])

    @property
    def digest(self) -> str:
        """SHA-256 over the five arrays, little-endian, in the schema's order."""
        digest = hashlib.sha256()
        for name, dtype in PLAN_DTYPES.items():
            array = np.ascontiguousarray(getattr(self, name), dtype=np.dtype(dtype).newbyteorder("<"))
            digest.update(f"{name}:{dtype}:{array.shape}\n".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


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
        delta = self.skewness / np.sqrt(1 + self.skewness**2)
        while True:
            first, second = generator.standard_normal(2)
            value = self.location_na + self.scale_na * (delta * abs(first) + np.sqrt(1 - delta**2) * second)
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
    thresholds = [hall.models[index].features.get("i_thr", np.nan) for index in hall.train]
    if not np.all(np.isfinite(thresholds)):
        raise ValueError(f"hall {hall.name} has no i_thr for all training models; give amplitude.mode_na.")
    return math.fsum(thresholds) / len(thresholds)


def draw_plan(config: GenerationConfig, hall: HallOfFame) -> Plan:
    """Decide every sample of a data set.

    Raises:
        ValueError: if a split asks for models that the hall does not have, or the amplitudes cannot be drawn.
    """
    _check_models(config.traces, hall)
    amplitudes = AmplitudeDistribution.with_mode(config.amplitude, mode_na=threshold_mode_na(config.amplitude, hall))
    counts = [getattr(config.traces, split) for split in SPLITS]
    splits = np.repeat(np.arange(len(SPLITS), dtype=np.int8), counts)
    models = np.empty(splits.size, dtype=np.int32)
    seeds = np.empty(splits.size, dtype=np.uint64)
    stimuli = []
    for index, split in enumerate(splits):
        sequence = np.random.SeedSequence(entropy=config.seed, spawn_key=(index,))
        seeds[index] = sequence.generate_state(1, np.uint64)[0]
        generator = np.random.default_rng(int(seeds[index]))
        choices = hall.held_out if SPLITS[split] == "unseen_models" else hall.train
        models[index] = choices[generator.integers(len(choices))]
        stimuli.append(_draw_stimulus(config, amplitudes, generator))
    kinds, parameters = encode_stimuli(stimuli)
    plan = Plan(kinds, parameters, models, splits, seeds)
    shared = shared_samples(plan)
    if shared:
        raise ValueError(
            f"{shared} test samples equal a sample that training sees; widen the amplitudes' range or change the seed."
        )
    return plan


def shared_samples(plan: Plan) -> int:
    """Number of test samples whose model and stimulus equal those of a training or validation sample."""
    rows = [
        (int(model), int(kind), parameters.tobytes())
        for model, kind, parameters in zip(plan.model_index, plan.stimulus_kind, plan.stimulus_parameters, strict=True)
    ]
    seen = {row for row, split in zip(rows, plan.split, strict=True) if SPLITS[split] in ("train", "validation")}
    return sum(row in seen for row, split in zip(rows, plan.split, strict=True) if SPLITS[split] == "test")


def _check_models(traces: TraceCounts, hall: HallOfFame) -> None:
    if traces.train + traces.validation + traces.test > 0 and not hall.train:
        raise ValueError(f"hall {hall.name} has no training models; mark fewer models as held out.")
    if traces.unseen_models > 0 and not hall.held_out:
        raise ValueError(
            f"traces.unseen_models is {traces.unseen_models} but hall {hall.name} holds out no model; "
            "set it to 0 or use a hall with held-out models."
        )


def _draw_stimulus(
    config: GenerationConfig, amplitudes: AmplitudeDistribution, generator: np.random.Generator
) -> Stimulus:
    """One current between the protocol's onset and offset."""
    amplitude_na = amplitudes.draw_na(generator)
    kind = int(generator.choice(4, p=config.mix.shares))
    seed = int(generator.integers(2**32))
    start_ms, stop_ms, mix = config.onset_ms, config.onset_ms + config.step_ms, config.mix
    if kind == 1:
        return Ramp(start_ms, stop_ms, amplitude_na * mix.ramp_first, amplitude_na * mix.ramp_last)
    if kind == 2:
        return _chirp(start_ms, stop_ms, amplitude_na, mix)
    if kind == 3:
        sd_na = abs(amplitude_na) * mix.noise_sd
        return OrnsteinUhlenbeck(start_ms, stop_ms, amplitude_na * mix.noise_mean, sd_na, mix.noise_tau_ms, seed)
    return Step(start_ms, stop_ms, amplitude_na)


def _chirp(start_ms: float, stop_ms: float, amplitude_na: float, mix: StimulusMix) -> Chirp:
    return Chirp(
        start_ms,
        stop_ms,
        amplitude_na=abs(amplitude_na) * mix.chirp_sine,
        offset_na=amplitude_na * mix.chirp_offset,
        f0_hz=mix.chirp_first_hz,
        f1_hz=mix.chirp_last_hz,
    )
