"""The receive bench at a tiny size."""

from __future__ import annotations

import pytest

from tests.bench import receive
from tests.bench.runner import Scale
from tests.needs import needs_cc


@needs_cc
def test_every_case_is_measured() -> None:
    """Ours takes every datagram and message, C counts the same datagrams and bytes, and each row has a ratio."""
    rows = receive.rows(Scale(tiny=True))
    assert [row["case"].split(" (")[0] for row in rows] == ["1 message a datagram", "15 messages a datagram"]
    assert all(row["ratio"]["c"] > 0 for row in rows)


@needs_cc
def test_a_lost_datagram_is_noticed() -> None:
    """A run that did not get every datagram raises instead of giving a figure."""
    receiver = receive.Receiver(1, 20)
    try:
        receiver.bytes += 1
        with pytest.raises(AssertionError, match="expected"):
            receiver.ours()
        with pytest.raises(AssertionError, match="drained"):
            receiver.theirs(True)
    finally:
        receiver.close()
