"""Redis, recovery servers, the consumer's own counts."""

import contextlib
import socket
import threading

import pytest

from libs.wire import recovery
from services.cli.doctor import peers
from services.cli.doctor.peers import Pings, Recovery


@contextlib.contextmanager
def server(reply):
    """Give the port of a server that answers a connection's first bytes with ``reply(bytes)``; None: keeps silent."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    answer = reply(connection.recv(4096))
                    if answer is None:
                        connection.recv(1)
                    else:
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        listening.close()
        thread.join(5)


def too_old(data):
    request, _ = recovery.decode_request(data)
    return recovery.encode_answer(
        recovery.Answer(request.kind, request.exchange, recovery.TOO_OLD, request.session, 0, 0, request.request_id)
    )


def test_recovery_servers(free_port):
    """One that answers, one that speaks something else, one that closes, one that is silent, and nobody."""
    with server(too_old) as port:
        found = peers.ask_recovery("127.0.0.1", port, 7)
        assert (found.trouble, found.status) == ("", "too_old")
        assert found.trip_us > 0
    with server(lambda _: b"HTTP/1.1 400 Bad Request\r\n" * 4) as port:
        assert peers.ask_recovery("127.0.0.1", port, 7).foreign
    with server(lambda _: b"") as port:
        assert "closes" in peers.ask_recovery("127.0.0.1", port, 7).trouble
    with server(lambda _: None) as port:
        assert "within 1 s" in peers.ask_recovery("127.0.0.1", port, 7).trouble
    assert "refused" in peers.ask_recovery("127.0.0.1", free_port, 7).trouble


GOOD = Recovery("127.0.0.1", 9190, "too_old", 100.0)
GONE = Recovery("127.0.0.1", 9191, trouble="Connection refused")
FOREIGN = Recovery("127.0.0.1", 9191, trouble="magic", foreign=True)
TWO_LINES = {"line_b": {"group": "239.192.0.2", "port": 9002}}


@pytest.mark.parametrize(
    ("udp", "answers", "idle", "state"),
    [
        ({}, [GOOD], False, "ok"),
        ({}, [], False, "ok"),
        ({}, [GONE], False, "broken"),
        (TWO_LINES, [GONE], False, "warning"),
        ({}, [GONE], True, "warning"),
        ({}, [GOOD, GONE], False, "warning"),
        (TWO_LINES, [FOREIGN], True, "broken"),
    ],
)
def test_recovery_is_judged_by_what_else_heals(setup, udp, answers, idle, state):
    """Nobody there is broken where one line is all there is; one of two servers, or two lines, make it a warning."""
    assert peers.check_recovery(setup(udp=udp), answers, idle=idle).state == state


def test_redis(setup, redis_server, free_port, monkeypatch):
    """A real one answers; none there is broken, or a warning where `crossbook up` would bring its own."""
    pings = peers.ping(redis_server)
    assert pings.trouble == ""
    assert list(pings.trips_us) == sorted(pings.trips_us)
    assert peers.check_redis(setup(), pings, idle=False).state in ("ok", "warning")
    gone = peers.ping(f"redis://:secret@127.0.0.1:{free_port}/0")
    assert "onnect" in gone.trouble
    assert peers.check_redis(setup(), gone, idle=False).state == "broken"
    assert peers.check_redis(setup(), gone, idle=True).state == "warning"
    monkeypatch.setenv("REDIS_URL", "redis://:secret@127.0.0.1:1/0")
    from services.cli.doctor.setup import read_setup

    named = read_setup(str(setup().files["consumer"]).rpartition("/")[0])
    check = peers.check_redis(named, gone, idle=True)
    assert check.state == "broken"
    assert "secret" not in check.found + check.mend
    assert peers.ping("nonsense://x").trouble != ""


@pytest.mark.parametrize(
    ("trips", "state"), [((100.0, 200.0), "ok"), ((100.0, 1e6, 1e6), "broken"), ((9.0,) * 97 + (5e4,) * 3, "warning")]
)
def test_slow_redis(setup, trips, state):
    """A slow tail is a warning, a slow middle is broken."""
    assert peers.check_redis(setup(), Pings(trips), idle=False).state == state


def test_losses_of_the_consumer():
    """What grows while looking is broken, by kind; what was lost before is a warning; no consumer, no line."""

    def status(lost=0, ring=0, redis=0):
        channels = {"binance": {"lost": lost}, "okx": {"lost": 0}}
        return {"channels": channels, "ring": {"dropped": ring}, "redis": {"dropped": redis}}

    assert peers.check_losses(None, None) is None
    assert peers.check_losses(status(), status()).state == "ok"
    assert peers.check_losses(status(5), status(5)).state == "warning"
    assert "lost 2 messages" in peers.check_losses(status(5), status(7)).found
    assert "ring" in peers.check_losses(status(), status(lost=9, ring=9)).found
    assert peers.check_losses(status(), status(redis=1)).state == "broken"
