"""The order state machine (markets.md, *Orders and risk*)."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an order stands."""

    NEW = "new"  # journalled, not known to be with the venue
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


TRANSITIONS: dict[State, frozenset[State]] = {
    # rejected from new: a restart found the intent journalled and the venue without the order; it is never sent again.
    State.NEW: frozenset({State.SENT, State.REJECTED}),
    State.SENT: frozenset({State.ACKNOWLEDGED, State.REJECTED}),
    State.ACKNOWLEDGED: frozenset({State.PARTIALLY_FILLED, State.FILLED, State.CANCELLED, State.EXPIRED}),
    State.PARTIALLY_FILLED: frozenset({State.PARTIALLY_FILLED, State.FILLED, State.CANCELLED, State.EXPIRED}),
    State.FILLED: frozenset(),
    State.CANCELLED: frozenset(),
    State.REJECTED: frozenset(),
    State.EXPIRED: frozenset(),
}

TERMINAL = frozenset(state for state, after in TRANSITIONS.items() if not after)


def allowed(before: State, after: State) -> bool:
    """Return whether an order may go from one state to the other."""
    return after in TRANSITIONS[before]
