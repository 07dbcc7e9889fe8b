"""The publish bench at a tiny size, and that its reference writes what ours writes."""

from __future__ import annotations

import pytest
import redis

from libs.streams.writer import PackedWriter
from tests.bench import publish
from tests.bench.runner import Scale
from tests.libs.streams.server import Server

pytestmark = pytest.mark.integration


def test_the_reference_writes_the_same_entries() -> None:
    """What was encoded beforehand leaves the very fields that PackedWriter leaves."""
    entries = publish.entries_of(3, 2)
    server = Server()
    try:
        with redis.Redis.from_url(server.url) as client:
            assert PackedWriter(server.url, "", publish.RUN, {"features": publish.MAXLEN}).write(entries)
            ours = [fields for _, fields in client.xrange("features")]
            client.flushall()
            publish.Wire(f"{server.folder}/redis.sock").send(publish.encoded(entries), 3)
            theirs = [fields for _, fields in client.xrange("features")]
    finally:
        server.close()
    assert len(ours) == 3 and ours == theirs


def test_every_case_is_measured() -> None:
    """Each has our figure, the reference's and their ratio."""
    rows = publish.rows(Scale(tiny=True))
    assert len(rows) == 4
    assert all(row["ours"] > 0 and row["ratio"]["encoded beforehand"] > 0 for row in rows)
