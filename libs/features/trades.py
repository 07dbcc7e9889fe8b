"""What a print leaves in a book's history: running totals of trades and volumes by aggressor."""

from __future__ import annotations

from libs.book.rebase import DIGITS
from libs.features.flow import scale_totals
from libs.features.history import (
    R_BASE_US,
    R_HEAD,
    R_SIZE,
    R_TAIL,
    RESTARTS,
    TRADE_BASE,
    TRADE_EXP,
    TRADE_HAS_EXP,
    TRADE_RING,
    TRADE_TOTALS,
    TRADE_WORDS,
    TRADES_PENDING,
    TRADES_SINCE_US,
    WIDTHS,
    WINDOW_US,
    History,
    control_of,
    drop_oldest,
    empty_ring,
    entry,
    expire,
    has_room,
)
from libs.features.notes import note_message
from libs.features.pairs import pair_of, sum_of_pairs, times_ten_to
from libs.jit import kernel

WIDTH = WIDTHS[TRADE_RING]
HEAD = 2
"""Words of an entry before its totals: time and sequence."""
BUYS, SELLS, BOUGHT, SOLD = 0, 1, 2, 4


@kernel
def _restart(h: History, b: int, size_exp: int, now_us: int) -> None:
    head = h.heads[b]
    head[TRADE_EXP] = size_exp
    for k in range(BOUGHT, TRADE_WORDS):
        head[TRADE_TOTALS + k] = 0
        head[TRADE_BASE + k] = 0
    head[TRADE_BASE + BUYS] = head[TRADE_TOTALS + BUYS]
    head[TRADE_BASE + SELLS] = head[TRADE_TOTALS + SELLS]
    empty_ring(h, b, TRADE_RING)
    head[control_of(TRADE_RING) + R_BASE_US] = now_us
    head[RESTARTS] += 1


@kernel
def _set_unit(h: History, b: int, size_exp: int, now_us: int) -> None:
    """Make the unit of the volumes at least as fine as a print's, and near enough for its size to fit."""
    head = h.heads[b]
    if head[TRADE_HAS_EXP] == 0:
        head[TRADE_HAS_EXP] = 1
        head[TRADE_EXP] = size_exp
    finer = head[TRADE_EXP] - size_exp
    if finer > 0:
        totals, base = TRADE_TOTALS + BOUGHT, TRADE_BASE + BOUGHT
        if scale_totals(h, b, TRADE_RING, WIDTH, HEAD + BOUGHT, totals, base, TRADE_WORDS - BOUGHT, finer):
            head[TRADE_EXP] = size_exp
        else:
            _restart(h, b, size_exp, now_us)
    elif -finer > DIGITS:
        _restart(h, b, size_exp, now_us)


@kernel
def _make_room(h: History, b: int, now_us: int, waits: bool) -> None:
    """Free a place in the ring: of what has left the window, by growing, or of the oldest print."""
    control = control_of(TRADE_RING)
    head = h.heads[b]
    # A book that waits for a snapshot may yet be given events of before this print.
    if not waits and head[control + R_HEAD] - head[control + R_TAIL] == head[control + R_SIZE]:
        expire(h, b, TRADE_RING, WIDTH, HEAD, TRADE_BASE, TRADE_WORDS, now_us - WINDOW_US)
    if not has_room(h, b, TRADE_RING, WIDTH):
        drop_oldest(h, b, TRADE_RING, WIDTH, HEAD, TRADE_BASE, TRADE_WORDS)


@kernel
def note_trade(
    h: History, b: int, side: int, size: int, size_exp: int, sequence: int, feed_us: int, waits: bool
) -> None:
    """Take in a print.

    Parameters
    ----------
    side : int
        The aggressor: 1 bought, -1 sold, 0 unknown (it counts in nothing).
    size, size_exp : int
        Mantissa above 0 and exponent.
    sequence : int
        Of the channel: an event with a smaller one, applied later, does not see the print.
    feed_us : int
        Never before that of an earlier message of the channel.
    waits : bool
        Whether the book waits for a snapshot.
    """
    note_message(h, b, feed_us)
    if side == 0:
        return
    head = h.heads[b]
    if head[TRADE_HAS_EXP] == 0 or size_exp < head[TRADE_EXP]:
        unit = head[TRADE_EXP]
        while size % 10 == 0 and (head[TRADE_HAS_EXP] == 0 or size_exp < unit):
            size //= 10
            size_exp += 1
    _set_unit(h, b, size_exp, feed_us)
    _make_room(h, b, feed_us, waits)
    volume = times_ten_to(pair_of(size), size_exp - head[TRADE_EXP])
    which = 0 if side > 0 else 1
    head[TRADE_TOTALS + BUYS + which] += 1
    at = TRADE_TOTALS + BOUGHT + 2 * which
    head[at], head[at + 1] = sum_of_pairs((head[at], head[at + 1]), volume)
    control = control_of(TRADE_RING)
    at = entry(h, b, TRADE_RING, WIDTH, head[control + R_HEAD])
    h.rings[b, at] = feed_us
    h.rings[b, at + 1] = sequence
    for k in range(TRADE_WORDS):
        h.rings[b, at + HEAD + k] = head[TRADE_TOTALS + k]
    head[control + R_HEAD] += 1


@kernel
def forget_trades(h: History, b: int) -> None:
    """Begin a session: its sequences and feed time begin anew."""
    head = h.heads[b]
    empty_ring(h, b, TRADE_RING)
    for k in range(TRADE_WORDS):
        head[TRADE_BASE + k] = head[TRADE_TOTALS + k]
    head[control_of(TRADE_RING) + R_BASE_US] = 0
    head[TRADES_SINCE_US] = 0
    head[TRADES_PENDING] = 0
