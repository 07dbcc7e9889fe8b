"""A linear model and its file.

The file is JSON: what the model needs to predict, where it was fitted, and a digest over all of it. ``digest.fields``
holds a short digest a field, so that a file that was edited by hand is refused with the names of what was changed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from libs import config
from libs.errors import ConfigError
from libs.models.inputs import DIMENSIONLESS, INPUTS

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the model was fitted; times in ISO 8601, UTC."""

    start: str
    end: str
    rows: Annotated[int, msgspec.Meta(ge=1)]
    sources: tuple[str, ...]


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What later data said of the fit: y ≈ slope × fit, with errors of ``sigma_bps``."""

    slope: Annotated[float, msgspec.Meta(ge=0)]
    sigma_bps: Positive


class Digest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """SHA-256 of the content, and its first 12 digits for each field."""

    sha256: str
    fields: dict[str, str]


class LinearFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model file."""

    kind: Literal["linear"]
    version: Literal[1]
    name: str
    symbols: Literal["any"] | tuple[str, ...]
    horizon_s: Positive
    feature_names: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    mean: tuple[float, ...]
    std: tuple[Positive, ...]
    coefficients: tuple[float, ...]
    intercept: float
    calibration: Calibration
    threshold_bps: Positive
    training: Window
    digest: Digest | None = None


def digest_of(file: LinearFile) -> Digest:
    """Return the digest of a model's content, whatever digest it states."""
    content: dict[str, Any] = msgspec.to_builtins(file)
    content.pop("digest", None)
    each = {name: hashlib.sha256(_canonical(value)).hexdigest()[:12] for name, value in content.items()}
    return Digest(hashlib.sha256(_canonical(content)).hexdigest(), each)


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


class LinearModel:
    """Predicts slope × (intercept + Σ coefficient × (x − mean)/std).

    Parameters
    ----------
    file : LinearFile
        Checked; see :func:`load_model`.
    """

    def __init__(self, file: LinearFile) -> None:
        self.file = file
        self.name = file.name
        self.digest = digest_of(file).sha256
        self.feature_names: tuple[str, ...] = file.feature_names
        self.horizon_s = file.horizon_s
        self.threshold_bps = file.threshold_bps
        self._symbols = None if file.symbols == "any" else frozenset(file.symbols)
        self._mean = np.array(file.mean)
        self._std = np.array(file.std)
        self._weights = file.calibration.slope * np.array(file.coefficients)
        self._intercept = file.calibration.slope * file.intercept

    def covers(self, symbol: str) -> bool:
        """Return whether the model was made for a symbol."""
        return self._symbols is None or symbol in self._symbols

    def deviations(self, x: np.ndarray) -> np.ndarray:
        """Return how many training deviations the farthest input of each row is out."""
        return np.abs((x - self._mean) / self._std).max(axis=1)

    def predict(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return predictions and deviations in bps; see libs.models.protocol.PredictionModel."""
        scaled = (x - self._mean) / self._std
        # Column by column: a matrix product rounds by the number of rows, and the size of a batch must not show.
        mean = np.full(len(x), self._intercept)
        for k, weight in enumerate(self._weights):
            mean += weight * scaled[:, k]
        return mean, np.where(np.isnan(mean), np.nan, self.file.calibration.sigma_bps)


def load_model(path: Path) -> LinearModel:
    """Read and check a model file.

    Raises
    ------
    ConfigError
        For an unknown feature (with near names), one with a dimension in a model for any symbol, arrays of unequal
        length, or a digest that is not that of the content (with the names of the changed fields).
    """
    file = config.load(path, LinearFile)
    _check_features(file, str(path))
    _check_digest(file, str(path))
    return LinearModel(file)


def _check_features(file: LinearFile, path: str) -> None:
    for index, name in enumerate(file.feature_names):
        key = f"feature_names[{index}]"
        if name not in INPUTS:
            raise ConfigError(path, key, f"a published feature{config.near(name, list(INPUTS))}", config.shown(name))
        if file.symbols == "any" and name not in DIMENSIONLESS:
            expected = (
                f"a feature without dimension, as the model is for any symbol{config.near(name, list(DIMENSIONLESS))}"
            )
            raise ConfigError(path, key, expected, config.shown(name))
        if name in file.feature_names[:index]:
            raise ConfigError(path, key, "each feature once", f"{config.shown(name)} again")
    for field in ("mean", "std", "coefficients"):
        values = getattr(file, field)
        if len(values) != len(file.feature_names):
            raise ConfigError(path, field, f"{len(file.feature_names)} numbers, one a feature", f"{len(values)}")
        if not np.isfinite(values).all():
            raise ConfigError(path, field, "finite numbers", config.shown([repr(v) for v in values]))


def _check_digest(file: LinearFile, path: str) -> None:
    found = digest_of(file)
    if file.digest is None:
        raise ConfigError(path, "digest", f"the content's digest ({found.sha256})", "none")
    if found.sha256 == file.digest.sha256:
        return
    names = found.fields.keys() | file.digest.fields.keys()
    changed = sorted(n for n in names if found.fields.get(n) != file.digest.fields.get(n))
    what = f"changed: {', '.join(changed)}" if changed else "no field changed, so the digest itself was"
    raise ConfigError(path, "digest", file.digest.sha256, f"{found.sha256} ({what})")


def save_model(file: LinearFile, path: Path) -> LinearModel:
    """Write a model file with its digest, the same bytes for the same model.

    Raises
    ------
    ConfigError
        When it would not load.
    """
    stated = msgspec.structs.replace(file, digest=digest_of(file))
    path.write_text(json.dumps(msgspec.to_builtins(stated), indent=2, ensure_ascii=True) + "\n", encoding="utf-8")
    return load_model(path)
