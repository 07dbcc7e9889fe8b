"""From feature rows to signals: one pass over a batch, no I/O, the time passed in."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from libs.book.flags import CROSSED, HALTED, MUTE, STALE, SUSPECT
from libs.market.exchanges import EXCHANGES
from libs.models import decisions
from libs.models.inputs import REACHING, compute, mid
from libs.models.protocol import PredictionModel
from libs.models.scoring import forget, new_scoring, score_rows
from libs.streams.shards import WHOLE, Shard
from services.signals.settings import Settings

SKIPS = (
    "none",
    "capacity",
    "not_covered",
    "not_valid",
    "suspect",
    "halted",
    "mute",
    "stale",
    "crossed",
    "one_sided",
    "incomplete",
    "nan_feature",
    "out_of_range",
)
"""Why a row makes no signal, the first that holds. ``stale``: the flag, or a row older than ``max_row_age_ms``."""

SUPERSEDED = "superseded"
"""A later row of the same book stood in the same batch."""

_FLAGS = (("suspect", SUSPECT), ("halted", HALTED), ("mute", MUTE), ("stale", STALE), ("crossed", CROSSED))


class Decision(NamedTuple):
    """What was decided for the rows of a batch that could be predicted; arrays of one length."""

    rows: np.ndarray
    mean: np.ndarray
    sigma: np.ndarray
    cost: np.ndarray
    net: np.ndarray
    action: np.ndarray
    emit: np.ndarray


class Evaluator:
    """Turns rows into signals and keeps what that needs to know of each book.

    Parameters
    ----------
    model : PredictionModel
    settings : Settings
    """

    def __init__(self, model: PredictionModel, settings: Settings) -> None:
        self.model, self.settings = model, settings
        self.real = settings.costs == "real"
        self.threshold_bps = settings.real.threshold_bps if self.real else model.threshold_bps
        self.slippage_bps = settings.real.slippage_bps if self.real else 0.0
        self.whole_sums = not REACHING.isdisjoint(model.feature_names)
        self.horizon_us = int(model.horizon_s * 1e6)
        self.rows = 0
        self.skipped: Counter[str] = Counter()
        self.nan_features: Counter[str] = Counter()
        self.by_action: Counter[str] = Counter()
        self.scoring = new_scoring(settings.max_books)
        self._known = np.zeros(settings.max_books, np.bool_)
        self._covered = np.zeros(settings.max_books, np.bool_)
        self._fee_bps = np.zeros(settings.max_books)
        self._last_action = np.zeros(settings.max_books, np.int64)
        self._last_emit_us = np.zeros(settings.max_books, np.int64)

    def restart(self, shard: Shard = WHOLE) -> None:
        """Forget a consumer's books: its ids mean others now. What waits to be scored is void, whosever it is."""
        for array in (self._known, self._covered, self._fee_bps, self._last_action, self._last_emit_us):
            array[shard.ids] = 0
        forget(self.scoring)

    def evaluate(self, rows: np.ndarray, now_us: int) -> tuple[Decision, np.ndarray]:
        """Decide on the latest row of each book.

        Parameters
        ----------
        rows : structured array of libs.streams.schemas.FEATURES
            In the order in which they came, all of one run of the consumer.
        now_us : int
            Wall clock.

        Returns
        -------
        Decision
            Of the rows that could be predicted.
        int64[n]
            Indices of the rows that were looked at.
        """
        self.rows += len(rows)
        at = latest_rows(rows["book_id"])
        self.skipped[SUPERSEDED] += len(rows) - len(at)
        looked = rows[at]
        reasons, x = self._reasons(looked, now_us)
        for code, count in enumerate(np.bincount(reasons, minlength=len(SKIPS)).tolist()):
            if code and count:
                self.skipped[SKIPS[code]] += count
        fine = reasons == 0
        decision = self._decide(looked[fine], x[fine])
        predictions = np.full((2, len(rows)), np.nan)
        predictions[:, at[fine]] = decision.mean, decision.sigma
        self._score(rows, predictions)
        return decision, at

    def _reasons(self, rows: np.ndarray, now_us: int) -> tuple[np.ndarray, np.ndarray]:
        """Return why each row makes no signal (0: it may) and the model's inputs."""
        books = rows["book_id"].astype(np.int64)
        inside = books < self.settings.max_books
        self._learn(rows, books, inside)
        covered = np.zeros(len(rows), np.bool_)
        covered[inside] = self._covered[books[inside]]
        x = compute(rows, self.model.feature_names)
        reasons = np.zeros(len(rows), np.int64)

        def skip(name: str, where: np.ndarray) -> None:
            reasons[(reasons == 0) & where] = SKIPS.index(name)

        skip("capacity", ~inside)
        skip("not_covered", ~covered)
        skip("not_valid", rows["valid"] != 1)
        for name, bit in _FLAGS:
            skip(name, rows["flags"] & np.uint32(bit) != 0)
        skip("stale", now_us - rows["sent_ts_us"] > 1000 * self.settings.max_row_age_ms)
        bid, ask = rows["best_bid"], rows["best_ask"]
        skip("one_sided", ~(np.isfinite(bid) & np.isfinite(ask)))
        skip("crossed", bid >= ask)
        if self.whole_sums:
            skip("incomplete", rows["incomplete"] != 0)
        missing = np.isnan(x) & (reasons == 0)[:, None]
        for name, count in zip(self.model.feature_names, missing.sum(axis=0).tolist(), strict=True):
            if count:
                self.nan_features[name] += count
        skip("nan_feature", np.isnan(x).any(axis=1))
        skip("out_of_range", self.model.deviations(x) > self.settings.max_deviations)
        return reasons, x

    def _learn(self, rows: np.ndarray, books: np.ndarray, inside: np.ndarray) -> None:
        """Note symbol and fees of books that are new."""
        new = np.flatnonzero(inside)
        new = new[~self._known[books[new]]]
        for i in new.tolist():
            book, symbol, exchange = books[i], rows["symbol"][i].decode(), int(rows["exchange"][i])
            self._known[book] = True
            self._covered[book] = exchange < len(EXCHANGES) and self.model.covers(symbol)
            if self.real and exchange < len(EXCHANGES):
                self._fee_bps[book] = self.settings.real.taker_fee_bps.of(EXCHANGES[exchange], symbol)

    def _decide(self, rows: np.ndarray, x: np.ndarray) -> Decision:
        books = rows["book_id"].astype(np.int64)
        mean, sigma = self.model.predict(x)
        if self.real:
            cost = decisions.opening_cost(rows["spread_bps"], self._fee_bps[books], self.slippage_bps)
        else:
            cost = np.zeros(len(rows))
        net = decisions.net_of_cost(mean, cost)
        action = decisions.actions(mean, net, self.threshold_bps)
        feed_us = rows["feed_ts_us"]
        due = feed_us - self._last_emit_us[books] > 1000 * self.settings.repeat_ms
        emit = (action != decisions.NONE) & ((action != self._last_action[books]) | due)
        self._last_action[books] = action
        self._last_emit_us[books[emit]] = feed_us[emit]
        for code, count in zip(*np.unique(action[emit], return_counts=True), strict=True):
            self.by_action[decisions.ACTIONS[int(code)]] += int(count)
        return Decision(rows, mean, sigma, cost, net, action, emit)

    def _score(self, rows: np.ndarray, predictions: np.ndarray) -> None:
        mids = mid(rows)
        mids[(rows["valid"] != 1) | ~(rows["best_bid"] < rows["best_ask"])] = np.nan
        score_rows(
            self.scoring,
            rows["exchange"].astype(np.int64),
            rows["book_id"].astype(np.int64),
            rows["feed_ts_us"].astype(np.int64),
            mids,
            predictions[0],
            predictions[1],
            self.horizon_us,
        )


def latest_rows(book_ids: np.ndarray) -> np.ndarray:
    """Return the index of each book's last row, in rising order (int64[k])."""
    _, first_from_end = np.unique(book_ids[::-1], return_index=True)
    return np.sort(len(book_ids) - 1 - first_from_end)
