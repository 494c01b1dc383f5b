import warnings

import numpy as np
import pytest

from noble.features import EFEATURES, FEATURE_NAMES, FeatureSettings, extract
from noble.traces import TimeGrid, TraceBatch

GRID = TimeGrid.spanning(515.0, dt_ms=0.06)
REST_MV, ONSET_MS, OFFSET_MS = -70.0, 15.0, 415.0


def batch(*voltages: np.ndarray, grid: TimeGrid = GRID) -> TraceBatch:
    return TraceBatch(grid, np.stack(voltages), np.zeros((len(voltages), grid.count)))


def decay(tau_ms: float, deflection_mv: float) -> np.ndarray:
    """Passive answer to a step: exponential approach, exponential return."""
    times = GRID.times_ms
    during = deflection_mv * (1 - np.exp(-(times - ONSET_MS) / tau_ms))
    after = deflection_mv * (1 - np.exp(-400.0 / tau_ms)) * np.exp(-(times - OFFSET_MS) / tau_ms)
    return REST_MV + np.where(times < ONSET_MS, 0.0, np.where(times < OFFSET_MS, during, after))


def spikes(
    times_ms: np.ndarray, *, sigma_ms: float = 0.2, height_mv: float = 90.0, grid: TimeGrid = GRID
) -> np.ndarray:
    """Gaussian spikes on a flat baseline: full width at half height 2.3548 sigma."""
    distance = grid.times_ms[:, None] - np.asarray(times_ms)[None, :]
    return REST_MV + height_mv * np.exp(-0.5 * (distance / sigma_ms) ** 2).sum(axis=1)


def features(voltage: np.ndarray, **options: object) -> dict[str, float]:
    values = extract(batch(voltage), onset_ms=ONSET_MS, offset_ms=OFFSET_MS, **options)  # type: ignore[arg-type]
    return {name: float(value[0]) for name, value in values.items()}


def test_sixteen_features_in_the_papers_order_all_with_units():
    assert len(FEATURE_NAMES) == len(set(FEATURE_NAMES)) == 16
    assert FEATURE_NAMES[0] == "AHP_depth"
    assert FEATURE_NAMES[-1] == "voltage_base"
    assert set(FEATURE_NAMES) < set(EFEATURES)
    values = extract(batch(decay(12.0, -10.0)), onset_ms=ONSET_MS, offset_ms=OFFSET_MS)
    assert tuple(values) == FEATURE_NAMES


def test_an_exponential_has_its_time_constant_base_and_steady_state():
    values = features(decay(12.0, -10.0))
    assert values["decay_time_constant_after_stim"] == pytest.approx(12.0, rel=1e-3)
    assert values["voltage_base"] == pytest.approx(REST_MV, abs=1e-9)
    assert values["steady_state_voltage_stimend"] == pytest.approx(REST_MV - 10.0, abs=1e-6)
    times = GRID.times_ms
    assert values["steady_state_voltage"] == pytest.approx(decay(12.0, -10.0)[times >= OFFSET_MS].mean(), abs=1e-3)
    assert values["sag_amplitude"] == pytest.approx(0.0, abs=1e-6)


def test_a_silent_trace_has_no_spike_features_but_a_count_of_zero():
    values = features(decay(12.0, 10.0))
    assert values["Spikecount"] == 0
    for name in ("AHP_depth", "AP1_peak", "AP1_width", "inv_first_ISI", "mean_AP_amplitude", "time_to_first_spike"):
        assert np.isnan(values[name]), name
    assert np.isnan(values["sag_amplitude"])  # a depolarising step has none


def test_spikes_at_known_times():
    times = np.array([30.0, 55.0, 105.0, 180.0])
    values = features(spikes(times))
    assert values["Spikecount"] == 4
    assert values["time_to_first_spike"] == pytest.approx(30.0 - ONSET_MS, abs=GRID.dt_ms / 2)
    assert values["inv_first_ISI"] == pytest.approx(1000 / 25.0, rel=5e-3)
    assert values["mean_frequency"] == pytest.approx(1000 * 4 / (180.0 - ONSET_MS), rel=1e-3)
    assert values["AP1_peak"] == pytest.approx(REST_MV + 90.0, abs=0.1)
    assert values["AP1_width"] == pytest.approx(2.3548 * 0.2, rel=0.02)


def test_spikes_outside_the_step_are_none_of_its_features():
    names = ("Spikecount", "time_to_first_spike", "mean_frequency", "AP1_width", "inv_first_ISI")
    inside = features(spikes(np.array([30.0, 60.0])), names=names)
    assert inside["Spikecount"] == 2
    assert inside["time_to_first_spike"] == pytest.approx(15.0, abs=0.06)
    assert features(spikes(np.array([5.0, 30.0, 60.0, 450.0])), names=names) == pytest.approx(inside, rel=1e-6)


def test_depolarisation_block_is_one_and_its_absence_zero():
    free = spikes(np.arange(30.0, 400.0, 30.0))
    blocked = spikes(np.array([30.0]))
    blocked[(GRID.times_ms > 40.0) & (GRID.times_ms < 400.0)] = -20.0
    values = extract(batch(free, blocked, decay(12.0, 5.0)), onset_ms=ONSET_MS, offset_ms=OFFSET_MS)
    np.testing.assert_array_equal(values["depol_block"], [0, 1, 0])


@pytest.mark.parametrize("shift_mv", [-20.0, 0.0, 20.0])
def test_a_shift_of_all_voltages_changes_no_block(shift_mv: float):
    """eFEL's own takes a slow trough below -75 mV for a block."""
    times = GRID.times_ms
    slow = spikes(np.array([30.0, 60.0])) - 8.0 * np.exp(-(((times - 200.0) / 60.0) ** 2))
    blocked = spikes(np.array([30.0]))
    blocked[(times > 40.0) & (times < 400.0)] = -20.0
    shifted = batch(slow + shift_mv, blocked + shift_mv)
    settings = FeatureSettings(spike_threshold_mv=-30.0 + shift_mv)
    found = extract(shifted, onset_ms=ONSET_MS, offset_ms=OFFSET_MS, names=("depol_block",), settings=settings)
    np.testing.assert_array_equal(found["depol_block"], [0, 1])


def test_interpolation_follows_dt_and_a_narrow_spike_keeps_its_width():
    """A PV-like spike, 0.2 ms wide and sampled at 0.02 ms, is measured five times worse at eFEL's default of 0.1 ms."""
    import efel

    grid = TimeGrid.spanning(515.0, dt_ms=0.02)
    sigma = 0.2 / 2.3548
    voltage = spikes(np.array([30.013, 60.047]), sigma_ms=sigma, grid=grid)
    ours = extract(batch(voltage, grid=grid), onset_ms=15.0, offset_ms=415.0, names=("AP1_width",))["AP1_width"][0]
    efel.reset()
    trace = {"T": grid.times_ms.tolist(), "V": voltage.tolist(), "stim_start": [15.0], "stim_end": [415.0]}
    default = efel.get_feature_values([trace], ["AP1_width"])[0]["AP1_width"][0]
    assert ours == pytest.approx(0.2, rel=0.02)
    assert abs(default - 0.2) > 5 * abs(ours - 0.2)


def test_the_spike_threshold_is_the_packages_and_can_be_set():
    small = spikes(np.array([30.0, 60.0]), height_mv=45.0)  # peaks at -25 mV: above -30, below eFEL's own -20
    assert features(small)["Spikecount"] == 2
    assert features(small, settings=FeatureSettings(spike_threshold_mv=-20.0))["Spikecount"] == 0
    assert features(small)["Spikecount"] == 2  # and the last call's threshold is gone


def test_efels_own_settings_are_neither_used_nor_changed():
    import efel

    try:
        efel.reset()
        efel.set_setting("Threshold", 10.0)
        efel.set_setting("interp_step", 0.5)
        efel.set_setting("decay_start_after_stim", 30.0)
        small = spikes(np.array([30.0, 60.0]), height_mv=45.0)
        assert features(small)["Spikecount"] == 2
        with pytest.raises(ValueError, match="no_such_feature"):
            features(small, names=("no_such_feature",))
        after = vars(efel.get_settings())
        assert (after["Threshold"], after["interp_step"], after["decay_start_after_stim"]) == (10.0, 0.5, 30.0)
    finally:
        efel.reset()


def test_stated_defaults_are_efels_but_for_threshold_interval_and_step():
    import efel

    ours = FeatureSettings()._efel(0.06)
    theirs = vars(efel.Settings())
    differing = {name for name, value in ours.items() if name in theirs and theirs[name] != value}
    assert differing == {"Threshold", "strict_stiminterval", "interp_step"}
    assert set(ours) - set(theirs) == {"decay_start_after_stim", "decay_end_after_stim"}  # known to its C++ half alone


def test_settings_are_recorded():
    record = FeatureSettings(spike_threshold_mv=-25.0).to_dict()
    assert record["spike_threshold_mv"] == -25.0
    assert record["interpolation_step"] == "dt of the trace"
    assert record["efel"].startswith("5.")


def test_a_trace_that_is_not_finite_has_no_features_and_harms_no_other():
    good = spikes(np.array([30.0, 60.0]))
    broken = good.copy()
    broken[4000:] = np.nan
    values = extract(batch(broken, good), onset_ms=ONSET_MS, offset_ms=OFFSET_MS)
    for name, column in values.items():
        assert np.isnan(column[0]), name
    assert values["Spikecount"][1] == 2


def test_float32_voltages_and_an_empty_batch_are_welcome():
    values = extract(batch(spikes(np.array([30.0])).astype(np.float32)), onset_ms=ONSET_MS, offset_ms=OFFSET_MS)
    assert values["Spikecount"][0] == 1
    nothing = TraceBatch(GRID, np.empty((0, GRID.count)), np.empty((0, GRID.count)))
    assert extract(nothing, onset_ms=ONSET_MS, offset_ms=OFFSET_MS)["AP1_width"].shape == (0,)


def test_no_warning_from_renamed_features():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features(spikes(np.array([30.0])), names=(*FEATURE_NAMES, "Spikecount_stimint"))


@pytest.mark.parametrize(
    ("onset_ms", "offset_ms"), [(-1.0, 415.0), (415.0, 15.0), (15.0, 515.0), (600.0, 700.0), (np.nan, 415.0)]
)
def test_edges_outside_the_trace_are_refused(onset_ms: float, offset_ms: float):
    with pytest.raises(ValueError, match=r"expected 0 <= onset < offset <= 514\.92 ms"):
        extract(batch(decay(12.0, -10.0)), onset_ms=onset_ms, offset_ms=offset_ms)


def test_an_unknown_feature_is_named():
    with pytest.raises(ValueError, match="'ap1_width' is unknown to eFEL"):
        features(decay(12.0, -10.0), names=("ap1_width",))
