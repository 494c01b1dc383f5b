"""NWB 1 files for tests, as the Allen Cell Types Database and MIES wrote them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from nwb_files import RATE_HZ, answer_mv, step_na

AMPLITUDES = (-0.05, 0.05, 0.1)


def write_nwb1(
    path: Path,
    *,
    names: tuple[str, str] = ("Sweep_{}", "Sweep_{}"),
    units: tuple[str, str] = ("Volts", "Amps"),
    scale: float = 1.0,
    conversion: float = 1.0,
    generated_by: list | None = None,
    aibs: bool = True,
    epochs: bool = True,
    ancestry: bool = True,
) -> Path:
    """A file of three sweeps; samples are V and A times `scale`."""
    with h5py.File(path, "w") as file:
        file["nwb_version"] = np.bytes_(b"NWB-1.0.5")
        if generated_by is not None:
            file["general/generated_by"] = np.array(generated_by, dtype="S20")
        for index, amplitude in enumerate(AMPLITUDES):
            number = 20 + index
            for folder, name, unit, values, kind in (
                ("acquisition/timeseries", names[0], units[0], answer_mv(amplitude) / 1e3, "CurrentClampSeries"),
                ("stimulus/presentation", names[1], units[1], step_na(amplitude) / 1e9, "CurrentClampStimulusSeries"),
            ):
                group = file.create_group(f"{folder}/{name.format(number)}")
                group.attrs["neurodata_type"] = "TimeSeries"
                if ancestry:
                    group.attrs["ancestry"] = np.array(["TimeSeries", "PatchClampSeries", kind], dtype="S30")
                data = group.create_dataset("data", data=values * scale)
                data.attrs.update({"unit": np.bytes_(unit.encode()), "conversion": conversion})
                group["starting_time"] = 100.0 * number
                group["starting_time"].attrs["rate"] = RATE_HZ
                group["electrode_name"] = np.bytes_(b"Electrode 1")
                group["bias_current"] = 1e-11 if index == 0 else np.nan
                if aibs:
                    group["aibs_stimulus_name"] = np.bytes_(b"Long Square")
                    group["aibs_stimulus_amplitude_pa"] = 1e3 * amplitude
                else:
                    group["stimulus_description"] = np.bytes_(b"LongSquare_DA_0")
            for kind in ("Sweep", "Experiment") if epochs else ():
                for what, folder, name in (
                    ("response", "acquisition/timeseries", 0),
                    ("stimulus", "stimulus/presentation", 1),
                ):
                    group = file.create_group(f"epochs/{kind}_{number}/{what}")
                    group["idx_start"] = 0 if kind == "Sweep" else 300
                    group["count"] = 2200 if kind == "Sweep" else 1900
                    group["timeseries"] = file[f"{folder}/{names[name].format(number)}"]
    return path
