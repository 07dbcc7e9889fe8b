"""The order service as a process, with a real Redis."""

from __future__ import annotations

import json
import signal as signals
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.oms.running import LATENCY_US, ROOT, START_US, Service, Stage, until

pytestmark = pytest.mark.integration


@pytest.fixture
def stage(redis_server: str, tmp_path: Path) -> Iterator[Stage]:
    """Streams of this test's own."""
    stage = Stage(redis_server, f"{tmp_path.name}:")
    yield stage
    stage.close()


def test_a_signal_is_ordered_filled_and_reported(redis_server: str, stage: Stage, tmp_path: Path) -> None:
    """From the signals stream to orders, fills, positions, metrics and status; then a kill, and a restart."""
    stage.open_market()
    service = Service(tmp_path, redis_server, stage.prefix)
    try:
        stage.book(START_US)
        until(lambda: service.get("/risk")[0] == 200)
        time.sleep(0.2)
        stage.signal()
        until(lambda: service.status()["open_orders"] == 1)
        stage.book(START_US + LATENCY_US)
        until(lambda: service.status()["orders"]["filled"] == 1)
        _check_outputs(service, stage)
        _check_kill(service, stage)
    finally:
        asked = time.monotonic()
        assert service.stop() == 0
    assert time.monotonic() - asked < 2.0
    _check_restart(redis_server, stage, tmp_path)


def _check_outputs(service: Service, stage: Stage) -> None:
    assert [order["state"] for order in stage.read("orders")] == ["new", "sent", "acknowledged", "filled"]
    fill = stage.read("fills")[0]
    assert (fill["quantity"], fill["price"], fill["fee"], fill["fee_currency"]) == ("0.99", "101", "0.09999", "USDT")
    code, body = service.get("/positions")
    assert (code, body["positions"][0]["quantity"], body["positions"][0]["average_price"]) == (200, "0.99", "101")
    name = fill["client_order_id"]
    assert service.get(f"/orders/{name}")[1]["state"] == "filled"
    code, body = service.get(f"/orders/{name[:-1]}")
    assert (code, body["near"]) == (404, [name])
    assert service.get("/orders?state=odd")[0] == 400
    assert service.get("/nothing")[0] == 404
    status = service.status()
    assert status["reconcile_ok"] is True
    assert status["latency_ns"]["order"]["count"] == 1
    assert 0 < status["latency_ns"]["order"]["p50_ns"] < 5e9
    with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/metrics", timeout=5) as answer:
        metrics = answer.read().decode()
    assert 'oms_orders_total{side="buy"} 1.0' in metrics
    assert 'oms_fills_total{side="buy"} 1.0' in metrics
    assert 'md_e2e_latency_seconds_count{path="order"} 1.0' in metrics


def _check_kill(service: Service, stage: Stage) -> None:
    stage.signal()
    until(lambda: service.status()["open_orders"] == 1)
    assert service.ask("POST", "/kill", {})[0] == 400
    code, body = service.ask("POST", "/kill", {"reason": "test"})
    assert (code, body) == (200, {"kill_switch": True, "reason": "test", "cancelled": 1})
    stage.signal()
    until(lambda: service.status()["orders"]["denied"] == {"kill_switch": 1})
    assert service.status()["open_orders"] == 0


def _check_restart(redis_server: str, stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    folder.mkdir()
    (tmp_path / "state").rename(folder / "state")
    stage.open_market()
    service = Service(folder, redis_server, stage.prefix)
    try:
        status = service.status()
        assert (status["kill_switch"], status["kill_reason"], status["positions"]) == (True, "test", 1)
        assert service.ask("POST", "/reset")[1] == {"kill_switch": False, "was_on": True}
        stage.book(START_US)
        time.sleep(0.2)
        for _ in range(3):
            stage.signal(sequence=1)
        stage.signal()
        until(lambda: service.status()["signals"] == 4)
        until(lambda: service.status()["orders"]["sent"] == 1)
        assert service.status()["orders"]["denied"] == {"duplicate_intent": 3}
    finally:
        assert service.stop(signals.SIGINT) == 0


def test_signals_left_by_a_crash_are_not_sent_twice(redis_server: str, stage: Stage, tmp_path: Path) -> None:
    """After kill -9 what was not acknowledged is delivered again, and every intent still has one order."""
    stage.open_market()
    service = Service(tmp_path, redis_server, stage.prefix)
    stage.book(START_US)
    time.sleep(0.2)
    for _ in range(20):
        stage.signal()
    until(lambda: service.status()["orders"]["sent"] >= 1)
    service.stop(signals.SIGKILL)
    # Nothing was acknowledged, as far as Redis can tell the next process: the whole group is put back.
    stage.client.xgroup_destroy(f"{stage.prefix}signals", "oms")
    stage.client.xgroup_create(f"{stage.prefix}signals", "oms", id="0")
    folder = tmp_path / "again"
    folder.mkdir()
    (tmp_path / "state").rename(folder / "state")
    service = Service(folder, redis_server, stage.prefix)
    try:
        stage.book(START_US)
        until(lambda: service.status()["signals"] == 20)
        status = service.status()
        assert status["reconcile_ok"] is True
        assert status["orders"]["denied"]["duplicate_intent"] >= 1
    finally:
        assert service.stop() == 0
    sent = [order["client_order_id"] for order in stage.read("orders") if order["state"] == "sent"]
    assert len(sent) == len(set(sent))


def test_redis_away_is_said_and_survived(tmp_path: Path) -> None:
    """Without Redis the service stays alive, says why it is not ready, and ends cleanly."""
    config = tmp_path / "oms.toml"
    config.write_text(f'http_port = 0\nlog_format = "json"\nstate_dir = "{tmp_path}/state"\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "services.oms", "--config", str(config)],
        cwd=ROOT,
        env={"PATH": "", "REDIS_URL": f"unix://{tmp_path}/none.sock", "HOME": str(Path.home())},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    started = json.loads(process.stderr.readline())
    url = f"http://127.0.0.1:{started['http_port']}/readyz"

    def reason() -> str:
        try:
            urllib.request.urlopen(url, timeout=5)
        except urllib.error.HTTPError as error:
            return str(json.loads(error.read())["reason"])
        return ""

    try:
        assert "Redis is not" in until(lambda: reason() if "Redis" in reason() else "")
    finally:
        process.send_signal(signals.SIGTERM)
        assert process.wait(5) == 0
        process.stderr.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("odd = 1", "odd: expected a known key"),
        ("[limits]\nmax_gross_usd = 0", "limits.max_gross_usd: expected a number above 0, found 0"),
        ("[limits]\nmax_open_orders = 0", "limits.max_open_orders: expected int >= 1, found 0"),
        ("[latency_ms]\nokx = -1", "latency_ms.okx: expected 0 to 60000, found -1"),
        ('[orders]\nroute = "worst"', "orders.route: expected one of"),
        ('[fees.okx]\nspot = { taker_bps = "x", maker_bps = 1 }', "fees.okx.spot"),
    ],
)
def test_wrong_settings_stop_the_start(tmp_path: Path, text: str, said: str) -> None:
    """A wrong setting is one line that names file, key, expected and found, and exit status 2."""
    config = tmp_path / "oms.toml"
    config.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "services.oms", "--config", str(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"oms: {config}: {said}")
