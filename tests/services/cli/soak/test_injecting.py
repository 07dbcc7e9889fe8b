"""The injector: each fault begins and ends at the replay's control API, and what could not be injected is told."""

from __future__ import annotations

import subprocess
import time

from services.cli.api import Endpoint
from services.cli.soak.injecting import Injector
from services.cli.soak.plan import KINDS, Fault
from services.cli.soak.stacks import Stack
from tests.services.cli.soak.answers import Service, serving


def inject(service: Service, *kinds: str) -> Injector:
    with serving(service) as replay:
        faults = [Fault(kind, 0.01 * at, 0.01 * at + 0.005) for at, kind in enumerate(kinds)]
        injector = Injector(Stack({"replay": replay}, ""), faults, time.monotonic())
        injector.start()
        injector.join(10)
    return injector


def test_a_fault_begins_and_ends() -> None:
    """In order, with the bodies of its kind; a pause is resumed."""
    service = Service()
    assert inject(service, "loss", "pause").failed == []
    loss = KINDS["loss"]
    assert service.commands == [("/inject", loss.begin), ("/inject", loss.end), ("/pause", {}), ("/resume", {})]


def test_a_refusal_is_told() -> None:
    """What the replay answered stands in `failed`, once for the beginning and once for the end."""
    service = Service()
    service.status = 409
    failed = inject(service, "line_dead").failed
    assert len(failed) == 2
    assert all(text.startswith("line_dead: HTTP 409") for text in failed)


def test_stopping_mends_what_is_broken() -> None:
    """A fault that is on when the run ends is taken back; one that has not begun never begins."""
    service = Service()
    with serving(service) as replay:
        faults = [Fault("loss", 0.0, 60.0), Fault("pause", 100.0, 101.0)]
        injector = Injector(Stack({"replay": replay}, ""), faults, time.monotonic())
        injector.start()
        while not service.commands:
            time.sleep(0.01)
        injector.stop()
    assert [body for _, body in service.commands] == [KINDS["loss"].begin, KINDS["loss"].end]
    assert injector.begun == 1


def test_a_sender_that_is_gone_is_told() -> None:
    """No answer is a failure too."""
    injector = Injector(Stack({"replay": Endpoint("127.0.0.1", 1)}, ""), [Fault("loss", 0.0, 0.01)], time.monotonic())
    injector.run()
    assert injector.failed == ["loss: no answer", "loss: no answer"]
    assert injector.begun == 1


def test_a_redis_that_is_not_ours_is_told() -> None:
    """Nothing was stopped, so nothing is said to have been."""
    injector = Injector(Stack({"replay": Endpoint("127.0.0.1", 1)}, ""), [Fault("redis_stall", 0.0, 0.01)], 0.0)
    injector.run()
    assert injector.failed == ["redis_stall: there is no Redis of our own"] * 2


def test_a_stack_that_has_ended_is_told() -> None:
    """The process of our own run is gone, and with it the list of its children."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    stack = Stack({"replay": Endpoint("127.0.0.1", 1)}, "", own=gone)
    injector = Injector(stack, [Fault("redis_stall", 0.0, 0.01), Fault("loss", 0.0, 0.01)], 0.0)
    injector.run()
    assert [text.partition(":")[0] for text in injector.failed] == ["redis_stall", "redis_stall", "loss", "loss"]
    assert "No such file" in injector.failed[0]
