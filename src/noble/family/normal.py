"""A normal distribution of named features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Normal:
    """A multivariate normal distribution of features; those that are known exactly have no variance.

    Attributes:
        names: features.
        mean: shape (feature,), physical units.
        covariance: shape (feature, feature), products of physical units.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    covariance: np.ndarray

    @property
    def sd(self) -> np.ndarray:
        """Standard deviations, shape (feature,), physical units; zero for what is known exactly."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance), 0.0))

    def sample(self, count: int, *, seed: int) -> np.ndarray:
        """Neurons drawn at random.

        Args:
            count: how many to draw.
            seed: seed of the draw.

        Returns:
            Shape (count, feature), physical units.

        Raises:
            ValueError: for a negative count.
        """
        if count < 0:
            raise ValueError(f"count is {count}; expected at least 0.")
        free, scale, factor = self._factor()
        drawn = np.tile(self.mean, (count, 1))
        noise = np.random.default_rng(seed).standard_normal((count, len(free)))
        drawn[:, free] += noise @ factor.T * scale
        return drawn

    def log_prob(self, values: np.ndarray) -> np.ndarray:
        """Logarithm of the density at neurons, of those features that are not known exactly.

        Args:
            values: shape (n, feature), physical units.

        Returns:
            Shape (n,), natural logarithm; minus infinity where a feature that is known exactly has another value.

        Raises:
            ValueError: for another number of features.
        """
        values = np.asarray(values, dtype=float)
        if values.ndim != 2 or values.shape[1] != len(self.names):
            raise ValueError(f"values have shape {values.shape}; expected (n, {len(self.names)}).")
        free, scale, factor = self._factor()
        fixed = [column for column in range(len(self.names)) if column not in free]
        whitened = np.linalg.solve(factor, ((values - self.mean)[:, free] / scale).T)
        constant = len(free) * np.log(2 * np.pi) + 2 * np.sum(np.log(np.diagonal(factor) * scale))
        density = -0.5 * (np.sum(whitened**2, axis=0) + constant)
        agrees = np.all(np.isclose(values[:, fixed], self.mean[fixed], rtol=1e-9, atol=0.0), axis=1)
        return np.where(agrees, density, -np.inf)

    def to_frame(self) -> pandas.DataFrame:
        """Mean and standard deviation of each feature, as a pandas `DataFrame`."""
        import pandas

        columns: Mapping[str, np.ndarray] = {"mean": self.mean, "sd": self.sd}
        return pandas.DataFrame(columns, index=list(self.names))

    def _factor(self) -> tuple[list[int], np.ndarray, np.ndarray]:
        """Columns that vary, their standard deviations, and the Cholesky factor of their correlations."""
        free = np.flatnonzero(self.sd > 0).tolist()
        scale = self.sd[free]
        correlations = self.covariance[np.ix_(free, free)] / np.outer(scale, scale)
        try:
            return free, scale, np.linalg.cholesky(correlations)
        except np.linalg.LinAlgError as error:
            raise ValueError(
                f"the covariance of {', '.join(self.names)} is singular; take a family of more models, or fewer features."
            ) from error
