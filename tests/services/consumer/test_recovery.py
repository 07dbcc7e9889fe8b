"""The recovery thread against servers on loopback: right, slow, wrong, silent, gone."""

from __future__ import annotations

import statistics
import time

import pytest

from libs.wire.recovery import RANGE
from tests.libs.recovery import model
from tests.libs.recovery.model import SESSION
from tests.services.consumer.recovering import SENT, Server, receiving
from tests.services.consumer.running import tcp_port, wait

pytestmark = pytest.mark.integration


def truth(first: int, last: int, exchange: int = 0) -> bytes:
    """Return what was sent."""
    return model.messages(SESSION, exchange, first, last)


def test_what_is_lost_comes_back_within_milliseconds() -> None:
    """At 200 requests a second the median from the bell to the delivery is below 5 ms."""
    with receiving(Server()) as receiver:
        wait(lambda: receiver.recovery.connected)
        took_s = []
        for number in range(200):
            begun = time.monotonic()
            receiver.lose(10 * number + 1, 10 * number + 3)
            assert receiver.read() == truth(10 * number + 1, 10 * number + 3)
            took_s.append(time.monotonic() - begun)
            time.sleep(max(0.0, begun + 0.005 - time.monotonic()))
        assert statistics.median(took_s) < 0.005
        assert receiver.count("recovered_0") == 600
        assert receiver.recovery.status()["connected"] is True
        assert receiver.recovery.status()["last_error"] == ""


def test_requests_are_pipelined() -> None:
    """Many ranges that are lost at once come back over one connection."""
    server = Server()
    with receiving(server, range_timeout_ms=5000) as receiver:
        for first in range(1, 401, 4):
            receiver.lose(first, first + 1)
        assert b"".join(receiver.read() for _ in range(100)) == b"".join(truth(n, n + 1) for n in range(1, 401, 4))
        assert server.accepted == 1
        assert receiver.count("requests_range") == 100


def test_a_book_comes_when_the_receiver_is_there() -> None:
    """A snapshot is asked for by the symbol's name and held back until the channel has reached it."""
    with receiving(Server()) as receiver:
        receiver.need("ETH-USDT", exchange=1)
        assert receiver.nothing_comes()
        assert receiver.recovery.status()["counters"]["answers_ok"] == 1
        receiver.expect(SENT + 1, exchange=1)
        assert receiver.read() == model.snapshot(SESSION, 1, "ETH-USDT", SENT)
        assert receiver.count("snapshots_1") == 1


def test_a_slow_server_still_helps() -> None:
    """Answers after the time-out are taken; each range is delivered once."""
    with receiving(Server("slow")) as receiver:
        receiver.lose(5, 9)
        assert receiver.read() == truth(5, 9)
        assert receiver.nothing_comes(0.2)
        assert receiver.count("timeouts") >= 1
        assert receiver.count("late") >= 1


@pytest.mark.parametrize(
    ("mode", "counter", "said"),
    [
        ("other", "refused_wrong_request", ""),
        ("garbage", "refused_malformed", "magic: expected 48 46 52 53"),
        ("midway", "disconnects", "closed by the server"),
        ("silent", "timeouts", ""),
    ],
)
def test_a_wrong_server_delivers_nothing(mode: str, counter: str, said: str) -> None:
    """Whatever it says, nothing of it gets through, it is asked ever more seldom, and when it mends all is well."""
    server = Server(mode)
    with receiving(server) as receiver:
        receiver.lose(5, 9)
        assert receiver.nothing_comes(0.3)
        assert receiver.count(counter) >= 3
        assert said in receiver.recovery.status()["last_error"]
        assert len(server.asked) <= 8
        assert receiver.recovery.turns < 150
        server.mode = "right"
        receiver.lose(20, 21)
        receiver.read_until(truth(20, 21))


def test_a_server_that_is_not_there_yet() -> None:
    """Refused connections are retried with backoff, without spinning, and what waits is asked for when it is up."""
    port = tcp_port()
    with receiving(port) as receiver:
        receiver.lose(5, 9)
        time.sleep(0.5)
        status = receiver.recovery.status()
        assert (status["connected"], status["last_error"], status["wanted"]) == (False, "Connection refused", 1)
        assert receiver.recovery.turns < 60
        server = Server(port=port)
        try:
            assert receiver.read() == truth(5, 9)
        finally:
            server.close()


def test_a_flood_ends_the_connection() -> None:
    """Answers that nobody asked for are refused, and after a few the server is left."""
    server = Server("flood")
    with receiving(server) as receiver:
        receiver.lose(5, 9)
        assert receiver.read() == truth(5, 9)
        wait(lambda: "too many failures" in receiver.recovery.status()["last_error"])
        assert receiver.count("refused_unknown_request") >= 8
        assert receiver.nothing_comes()
        server.mode = "right"
        receiver.lose(20, 21)
        assert receiver.read() == truth(20, 21)


def test_a_deaf_server_is_left() -> None:
    """Requests that lie unread are given up; what waits for them is bounded."""
    server = Server("deaf")
    with receiving(server) as receiver:
        for first in range(1, 2001, 2):
            receiver.lose(first, first)
        wait(lambda: receiver.count("disconnects") >= 1)
        assert server.asked == []
        assert receiver.recovery.status()["in_flight"] <= 16
        server.mode = "right"
        receiver.lose(4001, 4001)
        receiver.read_until(truth(4001, 4001))


def test_a_receive_thread_that_is_busy_makes_only_recovery_wait() -> None:
    """With nobody reading, deliveries wait in bounded room, and all of them come when somebody reads."""
    with receiving(Server()) as receiver:
        for first in range(1, 4001, 40):
            receiver.lose(first, first + 39)
        wait(lambda: receiver.count("recovered_0") == 4000)
        turns = receiver.recovery.turns
        time.sleep(0.3)
        assert receiver.recovery.turns - turns < 20
        assert b"".join(receiver.read() for _ in range(100)) == truth(1, 4000)


def test_each_exchange_has_its_server() -> None:
    """A request goes to the first server that knows its exchange and is connected; others are not asked."""
    first, second = Server(), Server()
    with receiving(
        first, second, exchanges=(("binance", "okx"), ("binance", "bybit")), range_timeout_ms=5000
    ) as receiver:
        wait(lambda: receiver.recovery.connected == 2)
        receiver.lose(1, 2, exchange=0)
        receiver.lose(1, 2, exchange=1)
        receiver.lose(1, 2, exchange=4)
        assert {receiver.read(), receiver.read()} == {truth(1, 2, 0), truth(1, 2, 1)}
        assert [request.exchange for request in first.asked] == [0]
        assert [request.exchange for request in second.asked] == [1]
        first.close()
        wait(lambda: receiver.recovery.connected == 1)
        receiver.lose(5, 6, exchange=0)
        assert receiver.read() == truth(5, 6, 0)
        assert [(request.kind, request.exchange) for request in second.asked] == [(RANGE, 1), (RANGE, 0)]


def test_a_request_is_as_long_as_configured() -> None:
    """The limits of the settings reach the client."""
    server = Server()
    with receiving(server, messages_per_request=8, range_timeout_ms=5000) as receiver:
        receiver.lose(1, 20)
        assert receiver.read() + receiver.read() + receiver.read() == truth(1, 20)
        assert [(request.first, request.last) for request in server.asked] == [(1, 8), (9, 16), (17, 20)]


def test_without_servers_nothing_is_asked() -> None:
    """The thread empties the queues and sleeps; it is connected to nothing."""
    with receiving() as receiver:
        receiver.lose(1, 2)
        assert receiver.nothing_comes(0.2)
        status = receiver.recovery.status()
        assert (status["connected"], status["wanted"], status["servers"]) == (False, 0, [])
        assert receiver.recovery.turns < 10
