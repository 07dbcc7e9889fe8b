"""What a recovery client counts."""

from __future__ import annotations

from libs.recovery.reading import REFUSALS
from libs.wire.layout import CHANNELS
from libs.wire.recovery import RANGE, SNAPSHOT, STATUSES

KINDS = {RANGE: "range", SNAPSHOT: "snapshot"}
DROPS = ("full", "no_session", "unneeded", "session", "tries", "old", "status")
"""Why something is not wanted any more, or never was."""


def new_counters() -> dict[str, int]:
    """Return every counter of a client, at zero.

    ``recovered_N`` counts messages and ``snapshots_N`` books of channel N that were delivered; ``late`` answers after
    their time-out; ``unneeded`` answers whose messages had come by another way.
    """
    names = [f"requests_{kind}" for kind in KINDS.values()]
    names += [f"answers_{status}" for status in STATUSES]
    names += [f"refused_{reason}" for reason in REFUSALS]
    names += [f"dropped_{reason}" for reason in DROPS]
    names += [f"{what}_{channel}" for what in ("recovered", "snapshots") for channel in range(CHANNELS)]
    return dict.fromkeys([*names, "timeouts", "late", "unneeded", "disconnects"], 0)
