"""The joint distribution of a family's features, and what is known of the others once some are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from noble.family.normal import Normal
from noble.features.catalogue import LATENT_FEATURES, canonical, check_plausible, unit_of

# A feature that the latent ones determine exactly keeps this part of its standard deviation, so that densities exist.
_LEAST_RESIDUAL: Final = 1e-6
# A part of a feature's variance that rounding may leave of none.
_LEAST_VARIANCE: Final = 1e-13

Measured = float | tuple[float, float]


@dataclass(frozen=True, eq=False)
class FamilyPrior:
    """A normal distribution of all features over the neurons of a family.

    The features `x` follow the latent ones `z` (rheobase and F-I gain, where both are known) by a linear regression with a
    normal residual: `x = a + B z + e`, `e ~ N(0, D R D)`. `B` is by least squares, which fifty models determine well. The
    residuals' standard deviations `D` are the sample's. Their correlations `R` are too many to be determined by fifty models
    (32 residuals have 496), so they are shrunk towards none by as much as their sampling error demands (Ledoit and Wolf, A
    well-conditioned estimator for large-dimensional covariance matrices, J. Multivariate Analysis 88, 2004, eq. 14, for
    residuals in units of `D`). So every subset of features has a proper conditional distribution, and given the latent features
    alone its mean is the regression (Bishop, Pattern Recognition and Machine Learning, 2006, eq. 2.81).

    Attributes:
        names: features, in the order of all vectors.
        table: the training models, shape (model, feature), physical units, at least two that differ in every feature.
    """

    names: tuple[str, ...]
    table: np.ndarray

    def __post_init__(self) -> None:
        table = np.array(self.table, dtype=float)
        if table.ndim != 2 or table.shape[1] != len(self.names) or len(table) < 2 or not np.all(np.isfinite(table)):
            raise ValueError(
                f"a table of shape {table.shape} was given for {len(self.names)} features; expected finite values of shape "
                f"(model, {len(self.names)}) for at least two models."
            )
        object.__setattr__(self, "names", tuple(canonical(name) for name in self.names))
        object.__setattr__(self, "table", table)
        if not np.all(self._spread > 0):
            same = self.names[int(np.argmin(self._spread))]
            raise ValueError(f"the feature {same} is the same in all models; leave it out.")

    def conditional(self, given: Mapping[str, Measured]) -> Normal:
        """Distribution of all features of a neuron of which some have been measured.

        Args:
            given: any of the features, none to all, in the catalogue's units: a number, which is exact, or a pair of a number
                and the standard deviation of its measurement error.

        Raises:
            ValueError: for an unknown or doubled feature, a value that is no finite number or that no neuron has, or a negative
                standard deviation.
        """
        columns, values, errors = self._read(given)
        gain = self._gain(columns, errors)
        shift = gain @ ((values - self._mean[columns]) / self._spread[columns])
        mean = self._mean + self._spread * shift
        covariance = self._correlations - gain @ self._correlations[columns]
        exact = np.array(columns, dtype=int)[errors == 0]
        mean[exact] = values[errors == 0]  # to the last bit
        known = np.union1d(exact, np.flatnonzero(np.diagonal(covariance) < _LEAST_VARIANCE))
        covariance[known, :] = covariance[:, known] = 0.0
        covariance = 0.5 * (covariance + covariance.T) * np.outer(self._spread, self._spread)
        return Normal(self.names, mean, covariance)

    def regression(self, given: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The conditional mean as a linear map: all features are `offset + values @ slopes`.

        Args:
            given: names of the features that are known exactly, in the order of the values.

        Returns:
            Offset of shape (feature,) and slopes of shape (given, feature), physical units.

        Raises:
            ValueError: for an unknown or doubled feature.
        """
        columns = self._columns(given)
        if sorted(columns) == sorted(self._latent):
            slopes = self._latent_slopes[[self._latent.index(column) for column in columns]]
        else:
            slopes = self._gain(columns, np.zeros(len(columns))).T
        slopes = slopes * self._spread / self._spread[columns][:, None]
        slopes[:, columns] = np.eye(len(columns))  # what is given stays to the last bit
        offset = self._mean - self._mean[columns] @ slopes
        offset[columns] = 0.0
        return offset, slopes

    def sample(self, count: int, *, seed: int) -> np.ndarray:
        """Neurons drawn from the distribution, shape (count, feature), physical units."""
        return self.conditional({}).sample(count, seed=seed)

    def log_prob(self, values: np.ndarray) -> np.ndarray:
        """Logarithm of the density at neurons of shape (n, feature), shape (n,)."""
        return self.conditional({}).log_prob(values)

    def _columns(self, names: Sequence[str]) -> list[int]:
        """Where features are among all."""
        wanted = [canonical(name) for name in names]
        for given, name in zip(names, wanted, strict=True):
            if name not in self.names:
                raise ValueError(f"the family has no feature {given!r}; it has {', '.join(self.names)}.")
            if wanted.count(name) > 1:
                raise ValueError(f"the feature {name} is given twice; give it once.")
        return [self.names.index(name) for name in wanted]

    def _read(self, given: Mapping[str, Measured]) -> tuple[list[int], np.ndarray, np.ndarray]:
        """Columns, values, and standard deviations of the measurement errors in units of the spread."""
        columns = self._columns(tuple(given))
        pairs = [item if isinstance(item, tuple) else (item, 0.0) for item in given.values()]
        for name, (value, error) in zip(given, pairs, strict=True):
            if not (np.isfinite(value) and np.isfinite(error) and error >= 0):
                raise ValueError(
                    f"feature {name} is {value} with a standard deviation of {error}; expected finite numbers in "
                    f"{unit_of(name) or 'its unit'}, the second not negative."
                )
            check_plausible(name, value)
        values, errors = np.array(pairs, dtype=float).reshape(-1, 2).T
        return columns, values, errors / self._spread[columns]

    def _gain(self, columns: list[int], errors: np.ndarray) -> np.ndarray:
        """What a deviation of the given features moves the mean of all by, in units of the spread, shape (feature, given)."""
        among = self._correlations[np.ix_(columns, columns)] + np.diag(np.square(errors))
        return self._correlations[:, columns] @ np.linalg.pinv(among, rcond=1e-14, hermitian=True)

    @cached_property
    def _mean(self) -> np.ndarray:
        return self.table.mean(axis=0)

    @cached_property
    def _spread(self) -> np.ndarray:
        return self.table.std(axis=0)

    @property
    def _latent(self) -> list[int]:
        """Columns of the latent features; none where the family does not have both."""
        known = set(LATENT_FEATURES) <= set(self.names)
        return [self.names.index(name) for name in LATENT_FEATURES] if known else []

    @cached_property
    def _latent_slopes(self) -> np.ndarray:
        """Least-squares slopes of all features on the latent ones, in units of the spread, shape (latent, feature)."""
        standard = (self.table - self._mean) / self._spread
        return np.linalg.lstsq(standard[:, self._latent], standard, rcond=None)[0]

    @cached_property
    def _correlations(self) -> np.ndarray:
        """Covariance of all features in units of their spread, shape (feature, feature)."""
        standard = (self.table - self._mean) / self._spread
        latent = standard[:, self._latent]
        residual = standard - latent @ self._latent_slopes
        others = [column for column in range(len(self.names)) if column not in self._latent]
        covariance = self._latent_slopes.T @ (latent.T @ latent / len(latent)) @ self._latent_slopes
        deviations = np.maximum(residual[:, others].std(axis=0), _LEAST_RESIDUAL)
        shrunk = shrunk_correlations(residual[:, others] / deviations)
        covariance[np.ix_(others, others)] += shrunk * np.outer(deviations, deviations)
        return covariance


def shrunk_correlations(observations: np.ndarray) -> np.ndarray:
    """Covariance of centred observations, shrunk towards a multiple of the identity (Ledoit and Wolf, 2004, eq. 14).

    Args:
        observations: shape (n, variable), of mean zero.

    Returns:
        `(b^2 m I + (d^2 - b^2) S) / d^2` with `S` the sample's covariance, `m` its mean variance, `d^2` the squared distance of
        `S` from `m I`, and `b^2` the estimated sampling error of `S`, at most `d^2`; shape (variable, variable).
    """
    count, variables = observations.shape
    sample = observations.T @ observations / count
    if variables == 0:
        return sample
    middle = np.trace(sample) / variables * np.eye(variables)
    distance = np.sum((sample - middle) ** 2)
    # The mean of ||x x' - S||^2 over observations is the mean of ||x||^4 less ||S||^2.
    error = (np.mean(np.sum(observations**2, axis=1) ** 2) - np.sum(sample**2)) / count
    share = min(error / distance, 1.0) if distance > 0 else 1.0
    return share * middle + (1 - share) * sample
