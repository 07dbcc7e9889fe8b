"""What the consumer talks to: Redis, the recovery servers; and what it says of itself."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Any

from libs.wire import recovery
from services.cli.doctor.check import Check, broken, ok, warning
from services.cli.doctor.setup import Setup
from services.cli.redis_server import without_password

PINGS = 200
PING_BUDGET_S = 1.0
SLOW_US, VERY_SLOW_US = 10_000, 100_000
CONNECT_S = 1.0


@dataclass(frozen=True, slots=True)
class Pings:
    """Round trips to Redis in microseconds, sorted; ``trouble``: its own or the system's text."""

    trips_us: tuple[float, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a recovery server said; ``trouble`` is empty when it answered, ``foreign``: it speaks something else."""

    host: str
    port: int
    status: str = ""
    trip_us: float = 0.0
    trouble: str = ""
    foreign: bool = False


def ping(url: str) -> Pings:
    """Ping Redis for a second at the most."""
    import redis

    client = None
    try:
        client = redis.Redis.from_url(url, socket_timeout=CONNECT_S, socket_connect_timeout=CONNECT_S, retry=None)
        client.ping()
        trips: list[float] = []
        deadline = time.monotonic() + PING_BUDGET_S
        while len(trips) < PINGS and time.monotonic() < deadline:
            began = time.perf_counter_ns()
            client.ping()
            trips.append((time.perf_counter_ns() - began) / 1000)
        return Pings(tuple(sorted(trips)))
    except (redis.RedisError, OSError, ValueError) as error:
        return Pings(trouble=str(error) or type(error).__name__)
    finally:
        if client is not None:
            client.close()


def check_redis(setup: Setup, pings: Pings, *, idle: bool) -> Check:
    """Judge whether Redis is there and fast.

    Parameters
    ----------
    idle : bool
        Nothing of Crossbook runs here: `crossbook up` would bring its own Redis.
    """
    name, where = "redis", without_password(setup.redis_url)
    if pings.trouble:
        found = f"{where}: {pings.trouble}"
        if idle and not setup.redis_named and "onnect" in pings.trouble:
            return warning(name, f"{found}; `crossbook up` brings its own", "redis-server --save '' --daemonize yes")
        mend = f"redis-server --save '' --daemonize yes, or set REDIS_URL, or redis_url in {setup.files['consumer']}"
        return broken(name, found, mend)
    p50, p99 = (pings.trips_us[int(share * (len(pings.trips_us) - 1))] for share in (0.5, 0.99))
    found = f"{where}: ping p50 {p50:.0f} µs, p99 {p99:.0f} µs"
    mend = "redis-cli slowlog get; redis-cli --latency; move it nearer or give it a core"
    if p50 > VERY_SLOW_US:
        return broken(name, found, mend)
    return warning(name, found, mend) if p99 > SLOW_US else ok(name, found)


def ask_recovery(host: str, port: int, session: int) -> Recovery:
    """Ask a recovery server for one message that it need not have, and read how it answers."""
    began = time.perf_counter_ns()
    request = recovery.Request(recovery.RANGE, 0, session, 1, 1, 1)
    try:
        with socket.create_connection((host, port), CONNECT_S) as sock:
            sock.settimeout(CONNECT_S)
            sock.sendall(recovery.encode_request(request))
            data = b""
            while len(data) < recovery.ANSWER_BYTES:
                more = sock.recv(4096)
                if not more:
                    return Recovery(host, port, trouble="closes without an answer", foreign=True)
                data += more
    except TimeoutError:
        return Recovery(host, port, trouble="does not answer within 1 s")
    except OSError as error:
        return Recovery(host, port, trouble=error.strerror or str(error))
    try:
        decoded = recovery.decode_answer(data)
    except recovery.MalformedRecoveryError as error:
        return Recovery(host, port, trouble=str(error), foreign=True)
    took = (time.perf_counter_ns() - began) / 1000
    status = recovery.STATUSES[decoded[0].status] if decoded else "ok"
    return Recovery(host, port, status, took)


def check_recovery(setup: Setup, answers: list[Recovery], *, idle: bool) -> Check:
    """Judge whether lost messages can be asked for again."""
    name = "recovery"
    if not answers:
        return ok(name, "turned off: holes heal by the other line or by snapshots")
    bad = [each for each in answers if each.trouble]
    if not bad:
        return ok(name, ", ".join(f"{a.host}:{a.port} answers {a.status} in {a.trip_us:.0f} µs" for a in answers))
    first = bad[0]
    found = f"{first.host}:{first.port}: {first.trouble}"
    key = f"[[recovery]] in {setup.files['consumer']}"
    if first.foreign:
        return broken(name, f"{found}: no recovery server", f"set port of {key} to the sender's recovery_port")
    mend = f"start the sender: crossbook replay; or set host and port of {key}"
    if idle:
        return warning(name, found, "crossbook up")
    if len(bad) < len(answers) or len(setup.lines) > 1:
        return warning(name, f"{found}; holes heal by the other line or by snapshots alone", mend)
    return broken(name, f"{found}; with one line, holes heal by snapshots alone", mend)


def check_losses(before: dict[str, Any] | None, after: dict[str, Any] | None) -> Check | None:
    """Judge the running consumer's own counts; None when none answers.

    Parameters
    ----------
    before, after : dict or None
        Its /status at the beginning and at the end of the look.
    """
    name = "losses"
    if before is None or after is None:
        return None

    def lost(status: dict[str, Any]) -> int:
        return sum(int(each.get("lost") or 0) for each in status.get("channels", {}).values())

    grown = lost(after) - lost(before)
    ring = after.get("ring", {}).get("dropped", 0) - before.get("ring", {}).get("dropped", 0)
    redis = after.get("redis", {}).get("dropped", 0) - before.get("redis", {}).get("dropped", 0)
    if ring > 0:
        return broken(
            name, f"the consumer's ring dropped {ring} messages while looking: the book thread is too slow",
            "raise processing_config.ring_buffer_size, or give it a core: processing_config.cpu_core",
        )  # fmt: skip
    if grown > 0:
        return broken(
            name, f"the consumer lost {grown} messages while looking",
            "see drops and buffer; if both are well, the network loses them: ethtool -S DEVICE, a second line (line_b)",
        )  # fmt: skip
    if redis > 0:
        return broken(
            name, f"{redis} records did not reach Redis while looking", "redis-cli info memory, then crossbook status"
        )
    if total := lost(after):
        return warning(name, f"none while looking; {total} messages lost before", "crossbook status")
    return ok(name, "the consumer has lost nothing")
