"""What the recovery thread counts is exported under the catalogue's names."""

from __future__ import annotations

import pytest

from libs.telemetry.segment import Segment
from services.consumer import recovery_metrics
from tests.libs.recovery.model import SESSION, message
from tests.services.consumer.recovering import Server, receiving
from tests.services.consumer.running import wait

pytestmark = pytest.mark.integration


def test_counters_reach_the_segment() -> None:
    """Requests, answers, messages and servers stand under their labels, and everything else at 0."""
    segment = Segment.create("consumer", recovery_metrics.series())
    with receiving(Server(), exchanges=(("okx",),), range_timeout_ms=5000) as receiver:
        receiver.lose(4, 4, exchange=3)
        assert receiver.read() == message(SESSION, 3, 4)
        recovery_metrics.update(segment, receiver.recovery)
    exported = {one.key: int(segment.counters[segment.counter(one.name, **one.labels)])
                for one in segment.series if one.name.endswith("_total")}  # fmt: skip
    assert {key: n for key, n in exported.items() if n} == {
        "md_recovery_requests_total{kind=range}": 1,
        "md_recovery_answers_total{status=ok}": 1,
        "md_messages_recovered_total{channel=okx}": 1,
    }
    for state in ("configured", "connected"):
        assert segment.gauges[segment.gauge("md_recovery_servers", state=state)] == 1


def test_a_server_that_is_gone_is_not_connected() -> None:
    """The gauge falls when the connection is lost, and the loss is counted."""
    segment = Segment.create("consumer", recovery_metrics.series())
    server = Server()
    with receiving(server) as receiver:
        wait(lambda: receiver.recovery.connected and server.open)
        server.close()
        wait(lambda: not receiver.recovery.connected)
        recovery_metrics.update(segment, receiver.recovery)
    assert segment.gauges[segment.gauge("md_recovery_servers", state="connected")] == 0
    assert segment.counters[segment.counter("md_recovery_disconnects_total")] >= 1
