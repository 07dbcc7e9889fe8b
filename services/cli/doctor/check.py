"""What one look at the system says."""

from __future__ import annotations

from dataclasses import asdict, dataclass

OK, WARNING, BROKEN = "ok", "warning", "broken"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor.

    Attributes
    ----------
    name : str
        The same in every version; what it is about.
    state : str
        OK, WARNING: it works but not as it should, BROKEN: data does not arrive or is lost.
    found : str
    mend : str
        A command to type, or a key of a named file to change; empty when nothing needs mending.
    """

    name: str
    state: str
    found: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it as the JSON document has it."""
        return asdict(self)


def ok(name: str, found: str) -> Check:
    """Return a line about something that is as it should be."""
    return Check(name, OK, found)


def warning(name: str, found: str, mend: str) -> Check:
    """Return a line about something that may cost data or time."""
    return Check(name, WARNING, found, mend)


def broken(name: str, found: str, mend: str) -> Check:
    """Return a line about something that keeps data away or loses it."""
    return Check(name, BROKEN, found, mend)


def verdict(checks: list[Check]) -> str:
    """Return the last line: how many are broken, and which to mend first."""
    bad = [check for check in checks if check.state == BROKEN]
    poor = sum(check.state == WARNING for check in checks)
    warnings = f"{poor} warning{'s' if poor != 1 else ''}"
    if bad:
        return f"{len(bad)} of {len(checks)} checks broken, {warnings}; begin with: {bad[0].name}"
    return f"nothing is broken, {warnings if poor else f'all {len(checks)} checks are well'}"
