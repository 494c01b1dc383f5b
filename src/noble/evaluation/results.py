"""Results of an evaluation: the numbers of one subset of traces (`Summary`), and all subsets (`Evaluation`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from noble.results import IF_KNOWN, Result

if TYPE_CHECKING:
    import pandas as pd


class Metric(NamedTuple):
    """What a number of a summary is called in tables, and its unit."""

    label: str
    unit: str


METRICS: Final[Mapping[str, Metric]] = {
    "relative_l2_percent": Metric("Relative L2 error of the voltage", "%"),
    "centred_relative_l2_percent": Metric("Relative L2 error, reference centred", "%"),
    "rmse_mv": Metric("Root mean square error", "mV"),
    "missed_percent": Metric("Traces where firing was missed", "%"),
    "false_percent": Metric("Traces that fired falsely", "%"),
    "spike_count_error_percent": Metric("Spike count error, misses counted", "%"),
    "exact_count_percent": Metric("Firing traces with the exact count", "%"),
    "spike_time_median_ms": Metric("Spike time error, median", "ms"),
    "spike_time_p90_ms": Metric("Spike time error, 90th percentile", "ms"),
    "coincidence_1ms": Metric("Coincidence factor at 1 ms", ""),
    "coincidence_4ms": Metric("Coincidence factor at 4 ms", ""),
    "ceiling_coincidence_1ms": Metric("Coincidence at 1 ms with a finer simulation", ""),
    "missed_spikes_percent": Metric("Spikes missed, of the reference's", "%"),
    "extra_spikes_percent": Metric("Spikes too many, of the reference's", "%"),
    "matched_time_median_ms": Metric("Matched spikes' time error, median", "ms"),
    "matched_time_p90_ms": Metric("Matched spikes' time error, 90th percentile", "ms"),
    "rmse_between_spikes_mv": Metric("Root mean square error between spikes", "mV"),
    "ap1_width_error_percent": Metric("First spike's width error", "%"),
    "mean_ap_amplitude_error_percent": Metric("Mean spike amplitude error", "%"),
    "steady_state_voltage_error_percent": Metric("Steady-state voltage error", "%"),
    "traces": Metric("Traces", ""),
    "firing_traces": Metric("Traces that fire", ""),
    "spikes": Metric("Spikes of the reference", ""),
}
"""The numbers of a summary in the order of tables."""

STABLE_KEYS: Final[tuple[str, ...]] = (
    "relative_l2_percent",
    "missed_percent",
    "false_percent",
    "spike_count_error_percent",
    "spike_time_median_ms",
    "spike_time_p90_ms",
    "coincidence_1ms",
    "ap1_width_error_percent",
    "mean_ap_amplitude_error_percent",
    "steady_state_voltage_error_percent",
)
"""Keys of every summary that scripts may rely on."""

SUBSET_LABELS: Final[Mapping[str, str]] = {
    "unseen_currents": "Unseen currents, training models",
    "unseen_models": "Unseen models",
    "unseen_models_plane": "Unseen models by threshold and slope alone",
    "sub_threshold": "Sub-threshold",
    "near_threshold": "Near threshold",
    "spiking": "Spiking",
    "fluctuation_driven": "Mean current below threshold",
    "mean_driven": "Mean current above threshold",
}
"""What subsets and regimes are called in tables."""

_CURRENTS: Final = "currents"


@dataclass(frozen=True, repr=False)
class FeatureError(Result):
    """Errors of one e-feature over some traces; None without any trace to stand on.

    Attributes:
        error_percent: mean of |p - r| / |r|, where r is not 0.
        mean_absolute_error: mean of |p - r|, in the feature's unit.
        unit: the feature's unit.
        traces: number of traces that were compared.
        missing: number of traces where only the reference has the feature.
        extra: number of traces where only the prediction has it.
    """

    error_percent: float | None
    mean_absolute_error: float | None
    unit: str | None
    traces: int
    missing: int
    extra: int

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The errors that `to_dict` wrote; what an older file lacks is None, or no trace."""
        counts = {name: content.get(name, 0) for name in ("traces", "missing", "extra")}
        return cls(content.get("error_percent"), content.get("mean_absolute_error"), content.get("unit"), **counts)


@dataclass(frozen=True, repr=False)
class Summary(Result):
    """How far predictions are from their references over one subset of traces; None where a number has no trace to stand on.

    Attributes:
        relative_l2_percent: mean over traces of the relative L2 error, volts not centred (the paper's).
        missed_percent, false_percent: traces where the reference fires and the prediction does not, and the reverse, in
            per cent of all traces.
        spike_count_error_percent: mean of |n_p - n_r| / n_r over traces where the reference fires; a missed trace counts as
            100 %, a falsely firing one is in `false_percent` alone.
        spike_time_median_ms, spike_time_p90_ms: quantiles of |t_p - t_r| of the k-th predicted and the k-th reference spike,
            pooled over traces, up to the smaller of the two counts.
        coincidence_1ms: mean coincidence factor over traces where either fires; a missed or false trace counts as 0.
        coincidence_4ms: the same at 4 ms.
        ceiling_coincidence_1ms: what coincidence_1ms a finer simulation of the same traces reaches: nobody can do better.
        missed_spikes_percent, extra_spikes_percent: reference spikes without a predicted one within 4 ms, and predicted spikes
            without one of the reference, in per cent of the reference's spikes.
        matched_time_median_ms, matched_time_p90_ms: quantiles of the time errors of spikes within 4 ms of each other, matched in
            order.
        rmse_between_spikes_mv: mean over traces of the root mean square error farther than 2 ms before and 4 ms after every
            spike of either, mV.
        ap1_width_error_percent, mean_ap_amplitude_error_percent: mean of |p - r| / |r| over traces where both fire (misses
            are counted above).
        steady_state_voltage_error_percent: the same over all traces.
        centred_relative_l2_percent: the relative L2 error of references whose mean is subtracted.
        rmse_mv: root mean square error, mV.
        exact_count_percent: share of the firing traces whose spikes are as many as predicted.
        traces, firing_traces, spikes: number of traces, of those where the reference fires, and of the reference's spikes.
        all_features: errors of each compared e-feature.
        regimes: the same numbers for sub-threshold, near-threshold and spiking traces apart, and for traces whose mean current
            is below and above the model's threshold current; None within a regime.
        settings: what the numbers depend on besides operator and data; None where nobody said.
    """

    relative_l2_percent: float | None
    missed_percent: float | None
    false_percent: float | None
    spike_count_error_percent: float | None
    spike_time_median_ms: float | None
    spike_time_p90_ms: float | None
    coincidence_1ms: float | None
    ap1_width_error_percent: float | None
    mean_ap_amplitude_error_percent: float | None
    steady_state_voltage_error_percent: float | None
    centred_relative_l2_percent: float | None
    rmse_mv: float | None
    exact_count_percent: float | None
    traces: int
    firing_traces: int
    all_features: Mapping[str, FeatureError]
    coincidence_4ms: float | None = field(default=None, metadata=IF_KNOWN)
    ceiling_coincidence_1ms: float | None = field(default=None, metadata=IF_KNOWN)
    missed_spikes_percent: float | None = field(default=None, metadata=IF_KNOWN)
    extra_spikes_percent: float | None = field(default=None, metadata=IF_KNOWN)
    matched_time_median_ms: float | None = field(default=None, metadata=IF_KNOWN)
    matched_time_p90_ms: float | None = field(default=None, metadata=IF_KNOWN)
    rmse_between_spikes_mv: float | None = field(default=None, metadata=IF_KNOWN)
    spikes: int | None = field(default=None, metadata=IF_KNOWN)
    regimes: Mapping[str, Summary] | None = field(default=None, metadata=IF_KNOWN)
    settings: Mapping[str, object] | None = field(default=None, metadata=IF_KNOWN)

    def number(self, metric: str) -> float | int | None:
        """The number of this name, one of `METRICS`.

        Raises:
            ValueError: for another name.
        """
        if metric not in METRICS:
            raise ValueError(f"{metric!r} is no number of a summary; expected one of {', '.join(METRICS)}.")
        return getattr(self, metric)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Summary:
        """The summary that `to_dict` wrote; a number that an older file lacks is None, or no trace."""
        numbers: dict[str, Any] = {item.name: content.get(item.name) for item in fields(cls) if item.name in METRICS}
        numbers |= {name: content.get(name) or 0 for name in ("traces", "firing_traces")}
        features = {name: FeatureError.from_dict(item) for name, item in content.get("all_features", {}).items()}
        regimes = content.get("regimes")
        return cls(
            **numbers,
            all_features=features,
            regimes=None if regimes is None else {name: cls.from_dict(item) for name, item in regimes.items()},
            settings=content.get("settings"),
        )


@dataclass(frozen=True, repr=False)
class Evaluation(Result):
    """How good an operator is, subset by subset.

    Attributes:
        subsets: summaries by name: `unseen_currents`, `unseen_models`, `unseen_models_plane`, or a split.
        currents: the same for kinds of current that were evaluated apart, by kind.
    """

    subsets: Mapping[str, Summary]
    currents: Mapping[str, Evaluation] = field(default_factory=dict)

    def __getitem__(self, subset: str) -> Summary:
        return self.subsets[subset]

    def to_dict(self) -> dict[str, Any]:
        """The content of `metrics.json`: the subsets by name, and below `currents` those of kinds of current, if any."""
        content = {name: summary.to_dict() for name, summary in self.subsets.items()}
        kinds = {kind: evaluation.to_dict() for kind, evaluation in self.currents.items()}
        return {**content, _CURRENTS: kinds} if kinds else content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Evaluation:
        """The evaluation that `to_dict` wrote; entries that hold no number of a summary are passed over."""
        subsets = {
            name: Summary.from_dict(item)
            for name, item in content.items()
            if isinstance(item, Mapping) and not METRICS.keys().isdisjoint(item)
        }
        kinds = content.get(_CURRENTS, {})
        return cls(subsets, {kind: cls.from_dict(item) for kind, item in kinds.items()})

    def to_frame(self) -> pd.DataFrame:
        """A row a number of `METRICS`, a column a subset."""
        import pandas as pd

        columns = {name: [summary.number(key) for key in METRICS] for name, summary in self.subsets.items()}
        return pd.DataFrame(columns, index=pd.Index(list(METRICS), name="metric"), dtype=float)

    def _repr_html_(self) -> str:
        frame = self.to_frame().rename(columns=lambda name: SUBSET_LABELS.get(name, name.replace("_", " ")))
        frame.index = [f"{label} ({unit})" if unit else label for label, unit in METRICS.values()]
        return frame.to_html(float_format=lambda value: f"{value:.4g}", na_rep="-", escape=True)
