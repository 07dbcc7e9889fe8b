"""What the signal service asks of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class PredictionModel(Protocol):
    """Predicts y = 10,000·ln(mid(t + horizon)/mid(t)), in bps, for many symbols at once.

    The service calls it on its one thread, once a batch; it must not block, keep its arguments or change them.

    Attributes
    ----------
    name : str
    digest : str
        Changes with anything that changes a prediction.
    feature_names : sequence of str
        Keys of libs.models.inputs.INPUTS, in the order of the columns of ``x``.
    horizon_s : float
    threshold_bps : float
        The 90th percentile of \\|prediction\\| in training.
    """

    @property
    def name(self) -> str:
        """Return the model's name."""

    @property
    def digest(self) -> str:
        """Return the digest of its content."""

    @property
    def feature_names(self) -> Sequence[str]:
        """Return the names of its inputs."""

    @property
    def horizon_s(self) -> float:
        """Return how far ahead it looks, in seconds of feed time."""

    @property
    def threshold_bps(self) -> float:
        """Return the 90th percentile of its predictions' size in training."""

    def covers(self, symbol: str) -> bool:
        """Return whether it was made for a symbol."""

    def deviations(self, x: np.ndarray) -> np.ndarray:
        """Return how many training deviations the farthest input of each row is out (float64[n]; NaN where one is)."""

    def predict(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the predictions and their deviations in bps.

        Parameters
        ----------
        x : float64[n, k]

        Returns
        -------
        mean_bps, sigma_bps : float64[n]
            NaN where an input is.
        """
