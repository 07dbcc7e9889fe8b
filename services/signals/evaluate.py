"""From feature rows to signals: one pass over a batch, no I/O, the time passed in."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from libs.market.exchanges import EXCHANGES
from libs.models import decisions, screening
from libs.models.inputs import REACHING, fill, plan
from libs.models.protocol import PredictionModel
from libs.models.rows import values_of, words_of
from libs.models.scoring import forget, new_scoring, score_rows
from libs.streams.schemas import FEATURES
from libs.streams.shards import WHOLE, Shard
from services.signals.settings import Settings

SKIPS = screening.REASONS

SUPERSEDED = "superseded"
"""A later row of the same book stood in the same batch."""


class Decision(NamedTuple):
    """What was decided for the rows of a batch that could be predicted.

    Attributes
    ----------
    rows : structured array of libs.streams.schemas.FEATURES
        The whole batch.
    at : int64[n]
        Which rows of it; the other arrays are of this length.
    """

    rows: np.ndarray
    at: np.ndarray
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
        self._plan = plan(model.feature_names)
        self._stamp = 0
        self._seen = np.zeros(settings.max_books, np.int64)
        self._known = np.zeros(settings.max_books, np.bool_)
        self._covered = np.zeros(settings.max_books, np.bool_)
        self._fee_bps = np.zeros(settings.max_books)
        self._last_action = np.zeros(settings.max_books, np.int64)
        self._last_said_us = np.zeros(settings.max_books, np.int64)

    def restart(self, shard: Shard = WHOLE) -> None:
        """Forget a consumer's books: its ids mean others now. What waits to be scored is void, whosever it is."""
        for array in (self._known, self._covered, self._fee_bps, self._last_action, self._last_said_us):
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
        # Writable, since kernels would be compiled once more for arrays that are not.
        rows = np.require(rows, FEATURES, ["C", "W"])
        words, values = words_of(rows), values_of(rows)
        self.rows += len(rows)
        self._stamp += 1
        at = np.empty(len(rows), np.int64)
        at = at[: screening.latest(words, self._seen, self._stamp, at)]
        if len(at) < len(rows):
            self.skipped[SUPERSEDED] += len(rows) - len(at)
        self._learn(rows, words, at)
        fine, x = self._screen(words, values, at, now_us)
        decision = self._decide(rows, words, at[fine], x[fine])
        self._score(words, values, at[fine], decision)
        return decision, at

    def _learn(self, rows: np.ndarray, words: np.ndarray, at: np.ndarray) -> None:
        """Note symbol and fees of books that are new."""
        new = np.empty(len(at), np.int64)
        for i in new[: screening.strangers(words, at, self._known, new)].tolist():
            book, symbol, exchange = rows["book_id"][i], rows["symbol"][i].decode(), int(rows["exchange"][i])
            self._known[book] = True
            self._covered[book] = exchange < len(EXCHANGES) and self.model.covers(symbol)
            if self.real and exchange < len(EXCHANGES):
                self._fee_bps[book] = self.settings.real.taker_fee_bps.of(EXCHANGES[exchange], symbol)

    def _screen(
        self, words: np.ndarray, values: np.ndarray, at: np.ndarray, now_us: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which rows may make a signal (bool[n]) and the model's inputs; count why others may not."""
        x = np.empty((len(at), len(self._plan)))
        fill(values, at, self._plan, x)
        reasons = np.empty(len(at), np.int64)
        missing = np.zeros(len(self._plan), np.int64)
        oldest_us = now_us - 1000 * self.settings.max_row_age_ms
        whole = int(self.whole_sums)
        if screening.screen(words, values, at, self._covered, oldest_us, whole, x, reasons, missing):
            far = self.model.deviations(x) > self.settings.max_deviations
            reasons[far & (reasons == screening.R_NONE)] = screening.R_OUT_OF_RANGE
        fine = reasons == screening.R_NONE
        if not fine.all():
            for code, count in enumerate(np.bincount(reasons, minlength=len(SKIPS)).tolist()):
                if code and count:
                    self.skipped[SKIPS[code]] += count
            for name, count in zip(self.model.feature_names, missing.tolist(), strict=True):
                if count:
                    self.nan_features[name] += count
        return fine, x

    def _decide(self, rows: np.ndarray, words: np.ndarray, at: np.ndarray, x: np.ndarray) -> Decision:
        mean, sigma = self.model.predict(x)
        if self.real:
            fees = self._fee_bps[rows["book_id"][at]]
            cost = decisions.opening_cost(rows["spread_bps"][at], fees, self.slippage_bps)
        else:
            cost = np.zeros(len(at))
        net = decisions.net_of_cost(mean, cost)
        action = decisions.actions(mean, net, self.threshold_bps)
        emit = np.empty(len(at), np.bool_)
        repeat_us = 1000 * self.settings.repeat_ms
        if screening.say(words, at, action, repeat_us, self._last_action, self._last_said_us, emit):
            for code, count in zip(*np.unique(action[emit], return_counts=True), strict=True):
                self.by_action[decisions.ACTIONS[int(code)]] += int(count)
        return Decision(rows, at, mean, sigma, cost, net, action, emit)

    def _score(self, words: np.ndarray, values: np.ndarray, at: np.ndarray, decision: Decision) -> None:
        n = len(words)
        exchange, book, feed_us = np.empty((3, n), np.int64)
        mids, means, sigmas = np.full((3, n), np.nan)
        screening.columns(words, values, exchange, book, feed_us, mids)
        means[at], sigmas[at] = decision.mean, decision.sigma
        score_rows(self.scoring, exchange, book, feed_us, mids, means, sigmas, self.horizon_us)
