"""States of a consolidated quote, and why an exchange is left out of it (markets.md, *NBBO*)."""

from __future__ import annotations

NONE, NORMAL, LOCKED, CROSSED_STALE, CROSSED_UNCERTAIN, CROSSED_REAL = range(6)

STATES = ("none", "normal", "locked", "crossed_stale", "crossed_uncertain", "crossed_real")
"""By state code; none: not two sides."""

(
    TAKEN_IN,
    NOT_LISTED,
    NOT_VALID,
    HALTED,
    MUTE,
    STALE,
    SELF_CROSSED,
    EMPTY,
    OTHER_KIND,
    OUT_OF_SCALE,
) = range(10)

EXCLUSIONS = (
    "taken_in",
    "not_listed",  # no book of the symbol at that exchange
    "not_valid",
    "halted",
    "mute",
    "stale",
    "self_crossed",  # locked or crossed by itself
    "empty",  # no level on either side
    "other_kind",  # inverse among linear contracts, or linear among inverse ones
    "out_of_scale",  # its price leaves int64 on the scale common to all
)
"""By exclusion code."""

NO_EXCHANGE = 255
