"""`Neurons`: features of some neurons with their names, from whatever labelled form a user has them in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from noble.features.catalogue import CATALOGUE, canonical, check_plausible, feature, unit_of

if TYPE_CHECKING:
    import pandas
    import xarray

_EXAMPLE = 'pass a mapping such as {"rheobase": 0.16, "fi_gain": 600.0}'


@dataclass(frozen=True, eq=False)
class Neurons(Sequence[Mapping[str, float]]):
    """Some neurons by their features; each neuron is a mapping from name to value.

    Attributes:
        names: names of the features, none twice; those that the catalogue knows under its own names.
        values: features, shape (neuron, feature), in the catalogue's units, finite and read-only.
    """

    names: tuple[str, ...]
    values: np.ndarray

    def __post_init__(self) -> None:
        given = tuple(self.names)
        names = tuple(canonical(name) for name in given)
        for name in names:
            if names.count(name) > 1:
                both = " and ".join(repr(other) for other in given if canonical(other) == name)
                raise ValueError(f"features {both} were given and mean the same, {name}; give it once.")
        values = np.array(self.values, dtype=float)  # a copy that nobody else can change
        if values.ndim != 2 or values.shape[1] != len(names):
            raise ValueError(
                f"values of shape {values.shape} were given for {len(names)} features; expected (neuron, {len(names)})."
            )
        if not np.all(np.isfinite(values)):
            for column, name in enumerate(given):
                _check_finite(name, values[:, column])
        values.flags.writeable = False
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "values", values)

    @classmethod
    def of(cls, given: object, *, also: Collection[str] = ()) -> Neurons:
        """Take neurons by name from a labelled object.

        Args:
            given: `Neurons`; a mapping from feature to a number or to an array over neurons; a sequence of mappings, one per
                neuron; a pandas `DataFrame` (columns are features) or `Series` (its index names the features of one neuron); an
                xarray `Dataset` (variables are features) or `DataArray` with a dimension `feature` whose coordinate names them.
            also: names to accept besides those of the catalogue, such as an operator's own.

        Raises:
            ValueError: for values without names, an unknown or doubled name, a value that is no finite number, or one that no
                neuron has.
        """
        if isinstance(given, Neurons):
            return given
        names, values = _named(given)
        for name, column in zip(names, values.T, strict=True):
            if name not in also:
                feature(name)  # refuses one that nobody knows
            _check_finite(name, column)
            check_plausible(name, column)
        return cls(names, values)

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> Mapping[str, float]: ...

    @overload
    def __getitem__(self, index: slice) -> Neurons: ...

    def __getitem__(self, index: int | slice) -> Mapping[str, float] | Neurons:
        if isinstance(index, slice):
            return Neurons(self.names, self.values[index])
        return dict(zip(self.names, self.values[index].tolist(), strict=True))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Neurons):
            return NotImplemented
        return self.names == other.names and np.array_equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Neurons: {len(self)} by {', '.join(self.names) or 'nothing'}>"

    def table(self, names: Iterable[str]) -> np.ndarray:
        """Some of the features, shape (neuron, names).

        Args:
            names: names or aliases of features.

        Raises:
            ValueError: if the neurons lack one.
        """
        wanted = [canonical(name) for name in names]
        if not len(self):
            return np.empty((0, len(wanted)))
        if missing := [name for name in wanted if name not in self.names]:
            raise ValueError(
                f"the neurons have no feature {', '.join(missing)}; they have {', '.join(self.names)}. Give it too."
            )
        return self.values[:, [self.names.index(name) for name in wanted]]

    def take(self, rows: Sequence[int] | np.ndarray) -> Neurons:
        """Some of the neurons, in this order; one may be taken several times."""
        return Neurons(self.names, self.values[np.asarray(rows, dtype=int)])

    def repeated(self, count: int) -> Neurons:
        """Each neuron so many times, one after another.

        Raises:
            ValueError: for a negative count.
        """
        if count < 0:
            raise ValueError(f"count is {count}; expected at least 0.")
        return self.take(np.repeat(np.arange(len(self)), count))

    def known_by(self, names: Iterable[str]) -> Neurons:
        """The same neurons, of which only these features are known."""
        chosen = tuple(names)
        return Neurons(chosen, self.table(chosen))

    def to_frame(self) -> pandas.DataFrame:
        """The neurons as rows and their features as columns of a pandas `DataFrame`."""
        import pandas

        return pandas.DataFrame(self.values, columns=list(self.names))

    def to_xarray(self) -> xarray.Dataset:
        """A variable per feature over the dimension `neuron`, with its unit as an attribute."""
        import xarray

        columns = zip(self.names, self.values.T, strict=True)
        return xarray.Dataset({name: ("neuron", column, _attributes(name)) for name, column in columns})


def _attributes(name: str) -> dict[str, str]:
    """What an xarray variable says of a feature."""
    label = {"long_name": CATALOGUE[name].label} if name in CATALOGUE else {}
    return {"units": unit_of(name), **label}


def _check_finite(name: str, column: np.ndarray) -> None:
    if not np.all(np.isfinite(column)):
        row = int(np.flatnonzero(~np.isfinite(column))[0])
        unit = unit_of(name)
        raise ValueError(
            f"feature {name} of neuron {row} is {column[row]}; expected a finite number"
            + (f" in {unit}." if unit not in ("", "1") else ".")
        )


def _named(given: object) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and values of a labelled object, not yet checked."""
    if isinstance(given, dict):
        return _of_mapping(given)
    if isinstance(given, np.ndarray):
        raise ValueError(f"features came as an array without names; {_EXAMPLE}.")
    if isinstance(given, Sequence) and not isinstance(given, str):
        return _of_sequence(given)
    import pandas
    import xarray

    if isinstance(given, pandas.DataFrame):
        return _of_mapping({str(name): given[name] for name in _once(given.columns)}, length=len(given))
    if isinstance(given, pandas.Series):
        return _of_mapping({str(name): given[name] for name in _once(given.index)})
    if isinstance(given, xarray.DataArray):
        return _of_labelled_array(given)
    if isinstance(given, xarray.Dataset):
        return _of_dataset(given)
    if isinstance(given, Mapping):
        return _of_mapping(given)
    raise ValueError(f"features came as {type(given).__name__}; {_EXAMPLE}, a pandas DataFrame or an xarray Dataset.")


def _of_mapping(given: Mapping[Any, Any], *, length: int | None = None) -> tuple[tuple[str, ...], np.ndarray]:
    """Columns of a mapping; numbers stand for all neurons."""
    columns = [_numbers(str(name), values) for name, values in given.items()]
    lengths = {column.size for column in columns if column.ndim == 1} | ({length} if length is not None else set())
    if len(lengths) > 1:
        sizes = ", ".join(
            f"{name} has {column.size}" for name, column in zip(given, columns, strict=True) if column.ndim
        )
        raise ValueError(f"features are of different numbers of neurons ({sizes}); expected the same number in all.")
    count = lengths.pop() if lengths else 1
    table = np.empty((count, len(columns)))
    for place, column in enumerate(columns):
        table[:, place] = column
    return tuple(str(name) for name in given), table


def _of_sequence(given: Sequence[Any]) -> tuple[tuple[str, ...], np.ndarray]:
    """One mapping per neuron, all of the same features."""
    if wrong := [item for item in given if not isinstance(item, Mapping)]:
        raise ValueError(
            f"features came as a sequence with {type(wrong[0]).__name__} in it, without names; {_EXAMPLE} per neuron."
        )
    if not given:
        return (), np.empty((0, 0))
    names = tuple(given[0])
    for index, item in enumerate(given):
        if set(item) != set(names):
            differing = ", ".join(sorted(map(str, set(item) ^ set(names))))
            raise ValueError(
                f"neuron {index} does not have the features of neuron 0 (they differ in {differing}); give all neurons the same."
            )
    return _of_mapping({name: [item[name] for item in given] for name in names}, length=len(given))


def _of_labelled_array(given: xarray.DataArray) -> tuple[tuple[str, ...], np.ndarray]:
    """An array over `feature`, whose coordinate names the features, and at most one other dimension."""
    if "feature" not in given.dims or "feature" not in given.coords or given.ndim > 2:
        raise ValueError(
            f"features came as an xarray DataArray over {', '.join(map(str, given.dims)) or 'nothing'}; expected a dimension "
            "'feature' with a coordinate of names, and at most one other."
        )
    names = _once(given["feature"].values.tolist())
    values = given.transpose(..., "feature").values.reshape(-1, len(names))
    return _of_mapping(dict(zip(names, values.T, strict=True)), length=len(values))


def _of_dataset(given: xarray.Dataset) -> tuple[tuple[str, ...], np.ndarray]:
    """A variable per feature, or one variable over `feature`."""
    if "feature" in given.dims and len(given.data_vars) == 1:
        [array] = given.data_vars.values()
        return _of_labelled_array(array)
    return _of_mapping({str(name): variable.values for name, variable in given.data_vars.items()})


def _once(names: Iterable[Any]) -> list[str]:
    """Names as text, none of them twice."""
    listed = [str(name) for name in names]
    if doubled := sorted({name for name in listed if listed.count(name) > 1}):
        raise ValueError(f"feature {', '.join(doubled)} was given twice; give it once.")
    return listed


def _numbers(name: str, values: Any) -> np.ndarray:
    """One feature as a number or a row of numbers."""
    array = np.asarray(values)
    if array.ndim > 1 or array.dtype.kind not in "iuf":
        raise ValueError(f"feature {name} is {_shown(values)}; expected a number, or one number per neuron.")
    return array.astype(float)


def _shown(values: Any) -> str:
    text = " ".join(repr(values).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
