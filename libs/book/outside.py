"""Change a book from outside its events: flags, and the instrument."""

from __future__ import annotations

from libs.book.events import NEEDS_SNAPSHOT
from libs.book.flags import INVALID, NO_SNAPSHOT
from libs.book.rebase import count_in_units
from libs.book.state import (
    BORN,
    FLAGS,
    IDLE,
    INVERSE,
    LOT,
    LOT_EXP,
    MODE,
    MULTIPLIER,
    MULTIPLIER_EXP,
    REFUSING,
    TAINT,
    TICK,
    TICK_EXP,
    WORDS,
    Books,
)
from libs.jit import kernel


@kernel
def set_flags(books: Books, b: int, set_mask: int, clear_mask: int) -> int:
    """Set and clear flags from outside an event; set wins.

    A flag that only a snapshot clears also holds for the event that is open, so that its end does not clear it.

    Returns
    -------
    int
        1 when the book became valid, -1 when it stopped being valid, else 0.
    """
    base = b * WORDS
    words = books.words
    before = words[base + FLAGS]
    words[base + FLAGS] = (before & ~clear_mask) | set_mask
    if words[base + MODE] != IDLE and words[base + MODE] != REFUSING:
        words[base + TAINT] |= set_mask & NEEDS_SNAPSHOT
    was = before & INVALID == 0
    now = words[base + FLAGS] & INVALID == 0
    return 0 if was == now else (1 if now else -1)


@kernel
def _same_value(mantissa: int, exponent: int, other: int, other_exponent: int) -> bool:
    while mantissa != 0 and mantissa % 10 == 0:
        mantissa //= 10
        exponent += 1
    while other != 0 and other % 10 == 0:
        other //= 10
        other_exponent += 1
    return mantissa == other and (exponent == other_exponent or mantissa == 0)


@kernel
def set_instrument(
    books: Books,
    b: int,
    tick: int,
    tick_exp: int,
    lot: int,
    lot_exp: int,
    multiplier: int,
    multiplier_exp: int,
    inverse: int,
) -> int:
    """Take in an instrument; exponents are powers of ten.

    The tick's and lot's decimals become the book's unit at the next snapshot that makes it valid; until then a finer
    level re-bases it.

    Returns
    -------
    int
        1 when a changed multiplier, or kind of contract, made the book wait for a snapshot (NO_SNAPSHOT), else 0. The
        first multiplier of a book is no change.
    """
    base = b * WORDS
    words = books.words
    if words[base + BORN] == 0:
        words[base + BORN] = 1
        words[base + FLAGS] |= NO_SNAPSHOT
    changed = words[base + MULTIPLIER] != 0 and not (
        _same_value(words[base + MULTIPLIER], words[base + MULTIPLIER_EXP], multiplier, multiplier_exp)
        and words[base + INVERSE] == inverse
    )
    words[base + TICK] = tick
    words[base + TICK_EXP] = tick_exp
    words[base + LOT] = lot
    words[base + LOT_EXP] = lot_exp
    words[base + MULTIPLIER] = multiplier
    words[base + MULTIPLIER_EXP] = multiplier_exp
    words[base + INVERSE] = inverse
    count_in_units(words, base)
    if changed:
        set_flags(books, b, NO_SNAPSHOT, 0)
        return 1
    return 0
