"""Fit config/models/default.json and write its out-of-sample figures beside it.

    python -m scripts.train_default_model [--data ../shared/data] [--to config/models]

The model is linear in two inputs that any symbol has, whatever its price or lot. It is fitted without an intercept and
without means, so that a book turned upside down gives the opposite prediction: ten minutes of a rising market must not
teach a model that prices rise. Each recording is cut in time: the first 60 % fit, the next 20 % calibrate the
slope, the last 20 % are only ever scored. Every row counts by the time that it stands for, so a busy market does not
outweigh a day of a quiet one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import Ridge

from libs.errors import CrossbookError, MissingError
from libs.models import evaluation
from libs.models.inputs import REACHING, compute, mid
from libs.models.linear import Calibration, LinearFile, LinearModel, Window, save_model
from libs.models.recorded import feature_rows, usable
from libs.storage.recording import BinanceRecording

ROOT = Path(__file__).resolve().parents[1]
FEATURES = ("queue_imbalance", "wap_bps")
SOURCES = {
    "nexousdt_202407": ("binance/nexousdt_202407",),
    "multi_20240808 spot": tuple(
        f"binance/multi_20240808/spot_{coin}usdt_{day}.gz" for coin in ("btc", "eth") for day in (20240808, 20240809)
    ),
    "multi_20240808 USD-M": tuple(f"binance/multi_20240808/usdm_{coin}usdt_20240808.gz" for coin in ("btc", "eth")),
}
HORIZON_S = 15.0
HORIZON_US = int(HORIZON_S * 1e6)
SHARES = (0.6, 0.2, 0.2)
FIT, CALIBRATE, TEST = range(3)
RIDGE = 1e-3
THRESHOLD_QUANTILE = 0.9


class Market(NamedTuple):
    """One symbol's samples, in order of feed time."""

    name: str
    feed_us: np.ndarray
    x: np.ndarray
    y: np.ndarray
    part: np.ndarray

    def of(self, part: int) -> np.ndarray:
        """Return the indices of a part."""
        return np.flatnonzero(self.part == part)

    def windows(self, part: int) -> np.ndarray:
        """Return indices of a part that are at least a horizon apart."""
        at = self.of(part)
        return at[evaluation.non_overlapping(self.feed_us[at], HORIZON_US)]


def read_markets(data: Path) -> list[Market]:
    """Read every source and return its symbols' samples."""
    markets = []
    for source, names in SOURCES.items():
        paths = [data / name for name in names]
        missing = [path for path in paths if not path.exists()]
        if missing:
            raise MissingError(f"{missing[0]}: no such recording; give the folder of recordings with --data")
        recording = BinanceRecording(paths)
        for symbol, rows in feature_rows(event for _, event in recording.events()).items():
            markets.append(_samples(f"{source} {symbol}", rows))
    return markets


def _samples(name: str, rows: np.ndarray) -> Market:
    rows = rows[usable(rows, whole_sums=not REACHING.isdisjoint(FEATURES))]
    feed_us = rows["feed_ts_us"]
    x = compute(rows, FEATURES)
    y = evaluation.targets(feed_us, mid(rows), HORIZON_US)
    part = evaluation.split(feed_us, SHARES, HORIZON_US)
    part[~(np.isfinite(y) & np.isfinite(x).all(axis=1))] = -1
    return Market(name, feed_us, x, y, part)


def pooled(markets: Sequence[Market], part: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x, y and weights of a part of all markets; a market's weights sum to its number of windows."""
    at = [market.of(part) for market in markets]
    weights = [np.full(len(i), len(m.windows(part)) / max(1, len(i))) for m, i in zip(markets, at, strict=True)]
    x = np.concatenate([m.x[i] for m, i in zip(markets, at, strict=True)])
    y = np.concatenate([m.y[i] for m, i in zip(markets, at, strict=True)])
    return x, y, np.concatenate(weights)


def fit(markets: Sequence[Market]) -> LinearFile:
    """Fit on the first part, calibrate the slope on the second."""
    x, y, weights = pooled(markets, FIT)
    std = np.sqrt(np.average(x**2, axis=0, weights=weights))
    ridge = Ridge(alpha=RIDGE, fit_intercept=False).fit(x / std, y, sample_weight=weights)
    cx, cy, cw = pooled(markets, CALIBRATE)
    raw = (cx / std) @ ridge.coef_
    slope = float(np.clip(np.average(raw * cy, weights=cw) / np.average(raw**2, weights=cw), 0.1, 1.0))
    fitted = slope * (x / std) @ ridge.coef_
    # Errors of both parts: two coefficients fit nothing of 70,000 rows away, and one quiet hour is no measure of a day.
    errors, all_weights = np.concatenate((y - fitted, cy - slope * raw)), np.concatenate((weights, cw))
    sigma = float(np.sqrt(np.average(errors**2, weights=all_weights)))
    size = np.abs(fitted)
    order = np.argsort(size, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    threshold = float(size[order][np.searchsorted(reached, THRESHOLD_QUANTILE)])
    first = min(int(m.feed_us[m.of(FIT)[0]]) for m in markets)
    last = max(int(m.feed_us[m.of(CALIBRATE)[-1]]) for m in markets)
    return LinearFile(
        kind="linear",
        version=1,
        name="default",
        symbols="any",
        horizon_s=HORIZON_S,
        feature_names=FEATURES,
        mean=(0.0,) * len(FEATURES),
        std=_rounded(std),
        coefficients=_rounded(ridge.coef_),
        intercept=0.0,
        calibration=Calibration(*_rounded(np.array([slope, sigma]))),
        threshold_bps=_rounded(np.array([threshold]))[0],
        training=Window(_iso(first), _iso(last), len(x) + len(cx), tuple(m.name for m in markets)),
    )


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    # Far below any statistical error, and above what differs between two builds of BLAS.
    return tuple(float(f"{value:.9g}") for value in values)


def _iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def report(model: LinearModel, markets: Sequence[Market], part: int) -> list[str]:
    """Return the table of scores of a part, a row a market and one for all."""
    lines = [
        "| market | windows | correlation | ± | hit rate | moved | R² | error bps | outcome bps | beyond threshold |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    predictions, outcomes = [], []
    for market in markets:
        at = market.windows(part)
        predictions.append(model.predict(market.x[at])[0])
        outcomes.append(market.y[at])
    for name, p, y in [
        *zip([m.name for m in markets], predictions, outcomes, strict=True),
        ("**all**", np.concatenate(predictions), np.concatenate(outcomes)),
    ]:
        s = evaluation.score(p, y)
        beyond = float((np.abs(p) > model.threshold_bps).mean()) if len(p) else float("nan")
        lines.append(
            f"| {name} | {s.windows} | {s.correlation:.3f} | {1 / max(1, s.windows) ** 0.5:.3f} | {s.hit_rate:.3f} "
            f"| {s.moved:.3f} | {s.r2:.4f} | {s.rmse_bps:.2f} | {s.outcome_bps:.2f} | {beyond:.3f} |"
        )
    return lines


README = """# Default model

`default.json`, written by `python -m scripts.train_default_model`; it predicts the change of mid over the
next {horizon:g} s, in bps, for any symbol. Digest `{digest}…`.

| input | deviation | bps a deviation |
|---|---|---|
{terms}

Calibration: slope {slope:.3f}, error {sigma:.2f} bps. Threshold of the `demo` profile (90th percentile of the
prediction's size in training): {threshold:.3f} bps.

## Out of sample

The last 20 % of each recording, 15 s apart from what was fitted; one window every 15 s, none overlapping.
±: the standard error of a correlation of zero, 1/√windows.

{test}

What it says: on NEXO-USDT a thousand windows show a small, real correlation. Ten minutes of BTC and ETH are a
handful of windows, from which nothing follows either way (the perpetuals move as spot does, so they are not even
new windows; COIN-M, which moves alike once more, is left out). Part of NEXO-USDT's score is the bounce of a wide
spread: with a tick of 8 bps, mid moves to where the thin side was taken. No prediction comes near the cost of a
trade (the median half spread of NEXO-USDT is 4.1 bps, a taker's fee 10), so with `--costs real` no signal is the
right result; `demo` leaves costs out to show the pipe at work.

## In sample

The first 60 %, which the coefficients were fitted on:

{train}
"""


def readme(model: LinearModel, markets: Sequence[Market]) -> str:
    """Return the text that stands beside the model file."""
    file = model.file
    terms = [
        f"| `{name}` | {std:.4g} | {coefficient:+.4f} |"
        for name, std, coefficient in zip(file.feature_names, file.std, file.coefficients, strict=True)
    ]
    return README.format(
        horizon=file.horizon_s,
        digest=model.digest[:16],
        terms="\n".join(terms),
        slope=file.calibration.slope,
        sigma=file.calibration.sigma_bps,
        threshold=file.threshold_bps,
        test="\n".join(report(model, markets, TEST)),
        train="\n".join(report(model, markets, FIT)),
    )


def main(argv: list[str] | None = None) -> int:
    """Run the training; 0, or the exit status of what was wrong."""
    parser = argparse.ArgumentParser(description="Fit config/models/default.json.")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--to", type=Path, default=ROOT / "config" / "models")
    arguments = parser.parse_args(argv)
    started = time.monotonic()
    try:
        markets = read_markets(arguments.data)
        model = save_model(fit(markets), arguments.to / "default.json")
    except CrossbookError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    (arguments.to / "README.md").write_text(readme(model, markets), encoding="utf-8")
    print("\n".join(report(model, markets, TEST)))
    print(f"{arguments.to / 'default.json'}: digest {model.digest[:16]}, {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
