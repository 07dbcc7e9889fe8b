"""What the consumer says of itself: the channel ledgers, the status document, and its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from libs.book.flags import CROSSED, INVALID
from libs.engine import columns, state, waiting, words
from libs.engine.outputs import ARBITRAGES, Q_DROPPED, STATE, TRADE
from libs.engine.slots import REFUSALS
from libs.market.exchanges import EXCHANGES
from libs.nbbo.states import EXCLUSIONS, NOT_LISTED, STATES, TAKEN_IN
from libs.ring.state import DROPPED, HEAD, HIGH_WATER, TAIL
from libs.sequencing import state as seq
from libs.wire.kernels import REASONS


def refusals(channel: np.ndarray, ledger: np.ndarray) -> dict[str, int]:
    """Return a channel's refused messages by reason; the receive thread counts those of other shards."""
    found = {reason: int(ledger[columns.REFUSED + i]) for i, reason in enumerate(REFUSALS)}
    return found | {"other_shard": int(channel[seq.OTHER_SHARD])}


def channel_report(channel: np.ndarray, ledger: np.ndarray, holes: np.ndarray) -> dict[str, Any]:
    """Return one channel's ledger with the keys of cli.md.

    Parameters
    ----------
    channel : int64[libs.sequencing.columns.COLUMNS]
    ledger : int64[libs.engine.columns.COLUMNS]
    holes : int64[MAX_HOLES, HOLE_WORDS]
        Open holes: what is missing there is not yet lost, so it stands beside the equation.
    """
    missing = int(holes[: channel[seq.N_HOLES], seq.MISSING].sum())
    refused = {reason: n for reason, n in refusals(channel, ledger).items() if n}
    side = seq.ledger(channel)
    settled = int(ledger[columns.APPLIED]) + sum(refused.values())
    kept = int(ledger[columns.PENDING_PARTS] + ledger[columns.BUFFERED])
    in_rings = int(channel[seq.RELEASED]) - settled - kept
    pending = side["held"] + max(0, in_rings) + kept
    late_or_twice = side["duplicate"] + side["late"]
    unaccounted = abs(side["sent"] - side["before_join"] - settled - side["lost"] - pending - missing) + abs(
        side["received"] - settled - late_or_twice - pending
    )
    return {
        "sent": side["sent"],
        "received": side["received"],
        "before_join": side["before_join"],
        "applied": int(ledger[columns.APPLIED]),
        "refused": refused,
        "duplicate": side["duplicate"],
        "late": side["late"],
        "lost": side["lost"],
        "pending": pending,
        "missing": missing,
        "unaccounted": unaccounted,
        "gaps": side["gaps"],
        "healed_by": {
            "line": int(channel[seq.HEALED_LINE]),
            "retransmission": int(channel[seq.HEALED_RETRANSMISSION]),
            "snapshot": int(ledger[columns.HEALED_SNAPSHOT]),
            "feed": int(ledger[columns.HEALED_FEED]),
        },
        "requested_ranges": int(channel[seq.REQUESTED_RANGES]),
        "session": int(channel[seq.SESSION]),
        "sessions": int(channel[seq.SESSIONS]),
        "sequence_back": int(channel[seq.SEQUENCE_BACK]),
        "far_ahead": int(channel[seq.FAR_AHEAD]),
        "unnamed": int(channel[seq.UNNAMED]),
        "foreign_session": int(channel[seq.FOREIGN_SESSION]),
        "heartbeats": int(channel[seq.HEARTBEATS]),
        "ledger_checks": {
            "made": int(ledger[columns.CHECKS]),
            "failed": int(ledger[columns.CHECKS_FAILED]),
            "unaccounted": int(ledger[columns.UNACCOUNTED]),
        },
        "watermark_us": int(ledger[columns.WATERMARK_US]),
    }


def lines_report(lines: np.ndarray, count: int) -> dict[str, dict[str, Any]]:
    """Return how each line of a channel does beside the other.

    Parameters
    ----------
    lines : int64[LINES, LINE_WORDS]
        Of one channel.
    count : int
        Lines in use.
    """
    return {
        name: {
            "first": int(row[words.FIRST]),
            "transit_us": int(row[words.TRANSIT_NS]) // 1000,
            "silent": bool(row[words.SILENT]),
            "silences": int(row[words.SILENCES]),
            "lagging": bool(row[words.LAGGING]),
            "lags": int(row[words.LAGS]),
        }
        for name, row in zip("AB"[:count], lines, strict=False)
    }


def channels_report(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the ledgers of every channel that was heard, and its lines, by exchange name."""
    count = int(arrays["receive_settings"][words.LINE_COUNT])
    return {
        name: channel_report(arrays["sequencer_channels"][ch], arrays["ledger"][ch], arrays["sequencer_holes"][ch])
        | {"lines": lines_report(arrays["lines"][:, ch], count)}
        for ch, name in enumerate(EXCHANGES)
        if arrays["sequencer_channels"][ch, seq.JOINED]
    }


def malformed_report(counts: np.ndarray) -> dict[str, int]:
    """Return malformed datagrams by reason."""
    found = {
        reason: int(counts[words.MALFORMED + code])
        for code, reason in REASONS.items()
        if counts[words.MALFORMED + code]
    }
    extra = {
        "foreign_source": words.FOREIGN_SOURCE,
        "unbelievable_sequence": words.UNBELIEVABLE,
        "foreign_recovery": words.FOREIGN_RECOVERY,
    }
    return found | {name: int(counts[at]) for name, at in extra.items() if counts[at]}


def flags_of(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the flags of every book (int64[rows])."""
    return state.bind_books(arrays).flags


def books_report(arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return how many books the feed spoke of, and their state; ``registered`` counts those of configuration too."""
    registered = int(arrays["table_counts"][0])
    heard = arrays["heard"][:registered] == 1
    flags = flags_of(arrays)[:registered][heard]
    ledger = arrays["ledger"]
    return {
        "total": int(np.count_nonzero(heard)),
        "registered": registered,
        "valid": int(np.count_nonzero(flags & INVALID == 0)),
        "crossed": int(np.count_nonzero(flags & CROSSED)),
        "crossed_events": int(ledger[:, columns.CROSSED_EVENTS].sum()),
        "diverged": int(ledger[:, columns.DIVERGED].sum()),
    }


def ring_report(arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return the rings' capacity, the highest mark of any, and the drops of all."""
    controls = arrays["ring_controls"]
    return {
        "capacity": arrays["rings"].shape[1] // 8,
        "high_water": int(controls[:, HIGH_WATER].max()),
        "dropped": int(controls[:, DROPPED].sum()),
        "occupancy": int((controls[:, HEAD] - controls[:, TAIL]).max()),
    }


def output_drops(arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return trade, status and arbitrage records that found their queue full."""
    controls = arrays["out_controls"]
    queues = {"trades": TRADE, "status": STATE, "arbitrage": ARBITRAGES}
    return {name: int(controls[queue, Q_DROPPED]) for name, queue in queues.items()}


def nbbo_report(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, int]]:
    """Return symbols by state, their feed time in each state, books by why they are out, opportunities by phase.

    Only of what the feed has spoken of: a configured symbol that nobody sends is in no state.
    """
    n = state.bind_nbbo(arrays)
    known = int(arrays["table_counts"][1])
    books = state.bind_table(arrays).symbol_books[:known]
    heard = (books >= 0) & (arrays["heard"][np.maximum(books, 0)] == 1)
    states = np.bincount(n.state[:known][heard.any(axis=1)].astype(np.int64), minlength=len(STATES))
    excluded = n.excluded[:known, : books.shape[1]][heard]
    reasons = np.bincount(excluded.astype(np.int64), minlength=len(EXCLUSIONS))
    totals = arrays["totals"]
    return {
        "states": {name: int(count) for name, count in zip(STATES, states, strict=True)},
        "state_us": dict(zip(STATES, n.state_us[:known].sum(axis=0).tolist(), strict=True)),
        "excluded": {name: int(reasons[i]) for i, name in enumerate(EXCLUSIONS) if i not in {TAKEN_IN, NOT_LISTED}},
        "arbitrage": {
            "opened": int(totals[columns.ARBITRAGES_OPENED]),
            "real": int(totals[columns.ARBITRAGES_REAL]),
            "closed": int(totals[columns.ARBITRAGES_CLOSED]),
        },
    }


def snapshots_report(arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return what became of requested snapshots, and of the deltas that waited for them."""
    control = arrays["waiting_control"]
    return {
        "used": int(control[waiting.USED]),
        "stale": int(control[waiting.STALE]),
        "unneeded": int(control[waiting.UNNEEDED]),
        "faulty": int(control[waiting.FAULTY]),
        "refused_place": int(arrays["receive_counts"][words.SNAPSHOT_AHEAD]),
        "deltas_spliced": int(control[waiting.SPLICED]),
        "deltas_evicted": int(control[waiting.EVICTED]),
    }
