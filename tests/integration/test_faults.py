"""Faults for real: loss, a dead line, a dead recovery server, stopped and killed processes, a Redis that goes away.

After each: every book equals the sender's, the ledgers balance, and no order id was used twice.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from libs.market.exchanges import EXCHANGES
from libs.wire.messages import OrderBook, decode_datagram
from libs.wire.recovery import OK, SNAPSHOT, Answer, Request, decode_answer, encode_request
from tests.integration.runs import Running

pytestmark = [pytest.mark.integration, pytest.mark.slow]
STACK = ("--symbols", "8", "--rate", "1000", "--seed", "3")
Side = dict[int, int]


class Stack:
    """A running stack, asked over HTTP."""

    def __init__(self, run: Running) -> None:
        self.run, self.ask = run, run.ask
        self.sound = False
        run.until(run.note)
        run.until(self.all_valid)

    def channels(self) -> dict[str, dict[str, Any]]:
        """Return the consumer's ledgers, once it answers."""
        return self.run.until(lambda: self.ask("consumer", "/channels"))

    def tell(self, path: str, **body: Any) -> None:
        """Have the replay do something, once it answers."""
        answer = self.run.until(lambda: self.ask("replay", path, body))
        assert "error" not in answer, answer

    def total(self, key: str) -> int:
        """Return a figure of the ledgers, summed over channels."""
        return sum(int(channel[key]) for channel in self.channels().values())

    def healed(self, by: str) -> int:
        """Return how many holes were closed in a way."""
        return sum(int(channel["healed_by"][by]) for channel in self.channels().values())

    def inject(self, **faults: Any) -> None:
        """Set the replay's faults."""
        self.tell("/inject", **faults)

    def quiet(self) -> None:
        """End every fault."""
        self.inject(loss=0.0, duplicate=0.0, reorder=0.0)

    def all_valid(self) -> bool:
        """Return whether every book that is sent was heard of, in the sender's present session, and is valid."""
        replay, channels = self.ask("replay", "/status"), self.channels()
        books = (self.ask("consumer", "/status") or {}).get("books", {})
        sessions = {name: channel["session"] for name, channel in (replay or {"sent": {}})["sent"].items()}
        if not sessions or any(channels.get(name, {}).get("session") != sessions[name] for name in sessions):
            return False
        return 0 < replay["instruments"] == books.get("total", -1) == books.get("valid", -1)

    def kill(self, module: str) -> None:
        """Kill a process of the run, and wait until another one does its work."""
        name = next(child for child in self.run.children() if child.startswith(module))
        killed = self.run.children()[name]
        os.kill(killed, signal.SIGKILL)
        self.run.until(lambda: self.run.children().get(name, killed) != killed)
        if module == "services.replay":
            self.run.until(lambda: (self.ask("replay", "/status") or {}).get("state") == "running")

    def settle(self) -> None:
        """Wait until all books are valid, hold the sender, and wait until nothing is pending."""
        self.run.until(self.all_valid)
        # The receive thread knows of a new session a little before the books do.
        time.sleep(0.5)
        self.run.until(self.all_valid)
        self.tell("/pause")
        self.run.until(lambda: self.total("pending") == self.total("missing") == 0)
        time.sleep(0.3)

    def check_books(self) -> int:
        """Compare each book with the sender's own, over its recovery port; return how many were compared."""
        replay = self.run.until(lambda: self.ask("replay", "/status"))
        with socket.create_connection((replay["recovery"]["host"], replay["recovery"]["port"]), 2.0) as link:
            compared = 0
            for line in self.run.until(lambda: self.ask("consumer", "/books")):
                exchange, symbol = line["exchange"], line["symbol"]
                session = replay["sent"].get(exchange, {}).get("session")
                path = f"/books/{exchange}/{symbol}?depth=1024"
                ours = self.run.until(lambda path=path: self.ask("consumer", path))
                if session is None or not ours["bids"]:
                    continue
                theirs = _snapshot(
                    link, Request(SNAPSHOT, EXCHANGES.index(exchange), session, 0, 0, compared + 1, symbol)
                )
                assert ours["valid"] and ours["flags"] == [], ours
                for side, (prices, unit) in theirs.items():
                    assert _scaled(ours[side], unit) == prices, (exchange, symbol, side)
                compared += 1
        return compared

    def check_ledgers(self) -> None:
        """Nothing is unaccounted for, exactly, now that nothing moves; nor at any heartbeat before."""
        for name, channel in self.channels().items():
            assert channel["unaccounted"] == 0, (name, channel)
            assert channel["ledger_checks"]["failed"] == 0 < channel["ledger_checks"]["made"], (name, channel)

    def heals(self) -> None:
        """Everything is right again: books, ledgers; then the sender goes on."""
        self.settle()
        self.check_ledgers()
        assert self.check_books() >= 35
        self.tell("/resume")
        self.sound = True


@pytest.fixture(scope="module")
def stacks(start_for_all: Callable[..., Running]) -> Callable[..., Stack]:
    """Return a running stack of these options: one that an earlier test left right again, else a new one."""
    kept: dict[tuple[str, ...], Stack] = {}

    def of(*options: str) -> Stack:
        found = kept.get(options)
        if found is None or not found.sound or found.run.process.poll() is not None:
            if found is not None:
                found.run.process.kill()
            found = kept[options] = Stack(start_for_all(*STACK, *options))
        found.sound = False
        return found

    return of


def _snapshot(link: socket.socket, request: Request) -> dict[str, tuple[Side, tuple[int, int]]]:
    for _ in range(50):
        link.sendall(encode_request(request))
        data = b""
        while (found := decode_answer(data)) is None:
            data += link.recv(65536)
        answer, body = found
        if answer.status == OK:
            return _levels(answer, body)
        time.sleep(0.05)
    raise AssertionError(f"no snapshot of {request.symbol}: status {answer.status}")


def _levels(answer: Answer, body: bytes) -> dict[str, tuple[Side, tuple[int, int]]]:
    parts = [message for message in decode_datagram(body)[0] if isinstance(message, OrderBook)]
    assert len(parts) == answer.count > 0
    unit = (min(p.price_exponent for p in parts), min(p.size_exponent for p in parts))
    found: dict[str, tuple[Side, tuple[int, int]]] = {}
    for side in ("bids", "asks"):
        levels = {
            price * 10 ** (p.price_exponent - unit[0]): size * 10 ** (p.size_exponent - unit[1])
            for p in parts
            for price, size in getattr(p, side)
        }
        found[side] = (levels, unit)
    return found


def _scaled(levels: list[list[str]], unit: tuple[int, int]) -> Side:
    return {int(Decimal(p).scaleb(-unit[0])): int(Decimal(s).scaleb(-unit[1])) for p, s in levels}


def test_lines_lose_repeat_and_reorder(start: Callable[..., Running]) -> None:
    """Loss on both lines, more on one, reordering, repetition, a dead line, a dead server: all of it heals."""
    stack = Stack(start(*STACK))
    stack.inject(loss=0.05)
    stack.run.until(lambda: stack.healed("line") > 20)
    stack.inject(loss=0.0)
    stack.inject(loss=0.05, line="b")
    time.sleep(1.0)
    stack.quiet()
    stack.heals()

    lost = stack.total("lost")
    stack.inject(reorder=0.05, duplicate=0.05)
    time.sleep(1.0)
    stack.quiet()
    stack.heals()
    assert stack.total("lost") == lost, "what is only late or twice is never lost"

    stack.inject(loss=1.0, line="b")
    stack.run.until(lambda: all(channel["lines"]["B"]["silent"] for channel in stack.channels().values()))
    retransmitted = stack.healed("retransmission")
    stack.inject(loss=0.1, line="a")
    stack.run.until(lambda: stack.healed("retransmission") > retransmitted + 10)
    stack.quiet()
    stack.heals()
    assert not any(channel["lines"]["B"]["silent"] for channel in stack.channels().values())

    stack.inject(recovery="off")
    stack.inject(loss=0.3)
    stack.run.until(lambda: stack.total("lost") > lost)
    stack.quiet()
    stack.inject(recovery="on")
    stack.heals()
    stack.run.process.send_signal(signal.SIGINT)
    stack.run.wait()
    report = json.loads(stack.run.report.read_text())
    assert not [check for check in report["checks_failed"] if not check.startswith("lost:")], report["checks_failed"]


@pytest.mark.parametrize("how", ["slow", "wrong", "close"])
def test_a_server_that_misbehaves_harms_nobody(stacks: Callable[..., Stack], how: str) -> None:
    """Slow, wrong or broken answers never stall the lines nor reach a book; with a good server again all heals."""
    stack = stacks("--lines", "a")
    stack.inject(recovery=how)
    stack.inject(loss=0.02)
    before = stack.total("applied")
    time.sleep(2.0)
    assert stack.total("applied") - before > 250, "the line goes on"
    stack.quiet()
    stack.inject(recovery="on")
    stack.heals()


def test_a_stopped_consumer_goes_on(stacks: Callable[..., Stack]) -> None:
    """SIGSTOP for 2 s: the socket buffer, the other line, recovery or snapshots make good what was missed."""
    stack = stacks()
    pid = stack.run.children()["services.consumer"]
    os.kill(pid, signal.SIGSTOP)
    time.sleep(2.0)
    os.kill(pid, signal.SIGCONT)
    stack.heals()


def test_a_sender_slow_to_come_back_goes_on(stacks: Callable[..., Stack]) -> None:
    """A killed sender whose successor starts so late that the consumer calls the silence a fault sends all the same."""
    stack = stacks()
    killed = stack.run.children()["services.replay"]

    def successor() -> int:
        """Return the process that was started in the killed one's place; 0 until it is there."""
        found = stack.run.children().get("services.replay", killed)
        return found if found != killed else 0

    os.kill(killed, signal.SIGKILL)
    late = stack.run.until(successor)
    os.kill(late, signal.SIGSTOP)
    stack.run.until(lambda: "no datagram" in str((stack.ask("consumer", "/readyz") or {}).get("reason", "")))
    os.kill(late, signal.SIGCONT)
    stack.heals()


def test_killed_processes_come_back_right(stacks: Callable[..., Stack]) -> None:
    """Redis and every service are killed, one after the other; the supervisor brings them back, and all is right."""
    stack = stacks()
    for module in ("redis", "services.signals", "services.oms", "services.consumer", "services.replay"):
        stack.kill(module)
        stack.heals()
    orders = stack.run.until(lambda: stack.ask("oms", "/orders?limit=1000"))
    ids = [order["client_order_id"] for order in orders["orders"]]
    assert len(ids) == len(set(ids)) > 0
