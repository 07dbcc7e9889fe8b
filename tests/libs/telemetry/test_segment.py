"""Segments: series by name, readiness, a status document that is always whole, a second process."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import numpy as np
import pytest

from libs.telemetry.hdr import BUCKETS
from libs.telemetry.segment import STATUS_BYTES, Segment, Series
from tests.libs.telemetry.series import record, segment


def test_series_have_a_place_each() -> None:
    """Counters, gauges and rows are found by name and labels in any order, and none shares a word with another."""
    found = segment()
    a = found.counter("md_packets_received_total", line="a", channel="binance")
    b = found.counter("md_packets_received_total", channel="binance", line="b")
    assert {a, b} == {0, 1}
    found.add(a, 3)
    found.add(b)
    assert found.counters.tolist() == [3, 1]
    assert {found.gauge("md_session_open"), found.gauge("md_ring_occupancy_items", ring="0")} == {0, 1}
    record(found, "publish", [5])
    assert found.rows[:, :BUCKETS].sum(axis=1).tolist() == [0, 1]


def test_a_name_that_is_not_there_gives_near_misses() -> None:
    """A metric outside the catalogue, or a series that was not declared, is refused with names like it."""
    with pytest.raises(KeyError, match=r"md_redy is not in the catalogue; near: md_ready"):
        Segment.create("consumer", [Series("md_redy")])
    with pytest.raises(KeyError, match=r"near: md_packets_received_total\{channel=binance,line=[ab]\}"):
        segment().counter("md_packets_received_total", channel="binance", line="c")
    with pytest.raises(KeyError, match="no gauge md_e2e"):
        segment().gauge("md_e2e_latency_seconds", path="book")
    with pytest.raises(ValueError, match="declared twice"):
        Segment.create("consumer", [Series("md_session_open"), Series("md_session_open")])


def test_readiness_begins_with_starting() -> None:
    """A new segment is not ready; a shorter reason leaves nothing of a longer one, and a long one is cut."""
    found = segment()
    assert found.readiness() == (False, "starting")
    found.ready(False, "waiting for Redis at a long address")
    found.ready(False, "no feed")
    assert found.readiness() == (False, "no feed")
    found.ready(True)
    assert found.readiness() == (True, "")
    found.ready(False, "é" * 400)
    assert found.readiness() == (False, "é" * 256)


def test_age_runs_from_the_last_beat() -> None:
    """The age is that of the last sign of life."""
    found = segment()
    assert 0 <= found.age_s() < 1
    found._words[1] -= 7_000_000_000
    assert 7 <= found.age_s() < 8
    found.beat()
    assert found.age_s() < 1


def test_status_is_the_last_document() -> None:
    """The document published last comes back, an empty object before the first; a larger one than fits is refused."""
    found = segment()
    assert found.status() == b"{}"
    for document in ({"a": [1, 2, 3]}, {}, {"ready": True}):
        found.publish_status(document)
        assert json.loads(found.status()) == document
    with pytest.raises(ValueError, match=f"at most {STATUS_BYTES} bytes"):
        found.publish_status("x" * STATUS_BYTES)
    assert json.loads(found.status()) == {"ready": True}


def test_status_is_whole_while_it_is_written() -> None:
    """A reader beside a writer that never rests sees whole documents only, and newer ones."""
    found = segment()
    reader = Segment.attach(found.arena.fd, found.spec())
    stop = threading.Event()
    numbers: list[int] = []

    def write() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            found.publish_status([n] * (1 + n % 3000))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(set(numbers)) < 30:
            document = json.loads(reader.status())
            if document:
                assert set(document) == {document[0]} and len(document) == 1 + document[0] % 3000
                numbers.append(document[0])
    finally:
        stop.set()
        writer.join()
    assert numbers == sorted(numbers)


def test_status_stays_whole_when_its_writer_stops_half_way() -> None:
    """Bytes of a document that was never finished are not read."""
    found = segment()
    found.publish_status({"n": 1})
    version = int(found._words[2]) + 1
    found._status[version % 2, :8] = np.frombuffer(b'{"n": 2,', np.uint8)
    assert found.status() == b'{"n": 1}'


ATTACH = """
import sys
from libs.telemetry.segment import Segment
seg = Segment.attach(int(sys.argv[1]), sys.stdin.readline())
seg.add(seg.counter("md_packets_received_total", channel="binance", line="b"), 41)
seg.arrays["table"][2, 1] = 77
seg.arrays["pairs"]["b"][3] = 1.5
seg.ready(True)
seg.publish_status({"from": "child"})
"""


@pytest.mark.integration
def test_another_process_sees_the_same_words() -> None:
    """What a second process writes over the inherited descriptor is what the first one reads."""
    found = segment()
    found.add(1, 1)
    fd = found.arena.fd
    command = [sys.executable, "-c", ATTACH, str(fd)]
    subprocess.run(command, input=found.spec().encode() + b"\n", pass_fds=[fd], check=True, timeout=60)
    assert found.counters.tolist() == [0, 42]
    assert found.arrays["table"].tolist() == [[0, 0], [0, 0], [0, 77]]
    assert found.arrays["pairs"]["b"].tolist() == [0, 0, 0, 1.5]
    assert found.readiness() == (True, "")
    assert json.loads(found.status()) == {"from": "child"}
