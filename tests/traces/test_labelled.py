import json

import numpy as np
import pytest

from noble.traces import TimeGrid
from noble.traces.labelled import grid_of, labelled_traces

GRID = TimeGrid.spanning(1.0, dt_ms=0.1)


def traces(**changes):
    arguments = {
        "voltage_mv": np.arange(60.0).reshape(2, 3, 10),
        "current_na": np.zeros((3, 10)),
        "grid": GRID,
        "neurons": ["a", "b"],
        "stimuli": ["x", "y", "z"],
        "edges_ms": np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]),
        "neuron_coordinates": {"rheobase": (np.array([0.1, 0.2]), "nA")},
        "provenance": {"made_by": "hand"},
    } | changes
    return labelled_traces(arguments.pop("voltage_mv"), arguments.pop("current_na"), arguments.pop("grid"), **arguments)


def test_every_number_has_its_label_and_unit():
    found = traces()
    assert found["voltage"].sel(neuron="b", stimulus="y").values.tolist() == list(range(40, 50))
    assert found["voltage"].attrs["units"] == "mV"
    assert found["current"].dims == ("stimulus", "time")
    assert found["time"].attrs["units"] == "ms"
    np.testing.assert_allclose(found["time"], GRID.times_ms)
    assert found["offset"].sel(stimulus="z") == 0.6
    assert found["rheobase"].attrs["units"] == "nA"
    assert json.loads(found.attrs["provenance"]) == {"made_by": "hand"}


def test_the_grid_comes_back():
    assert grid_of(traces()) == GRID


def test_a_netcdf_round_trip_keeps_everything(tmp_path):
    import xarray

    found = traces()
    found.to_netcdf(tmp_path / "traces.nc", engine="scipy")
    xarray.testing.assert_identical(xarray.load_dataset(tmp_path / "traces.nc"), found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.drop_vars("voltage"), "has the variables current; expected voltage over time"),
        (lambda found: found.assign_coords(time=found["time"] + 20), "run from 20 ms"),
        (lambda found: found.assign_coords(time=found["time"] ** 2), "expected uniform steps from 0"),
    ],
)
def test_what_is_no_trace_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        grid_of(change(traces()))
