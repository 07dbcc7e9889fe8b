"""The console script as a user meets it: exit statuses, one line of error, JSON on the standard output alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import redis

from services.cli.arguments import code_root


def crossbook(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the console script."""
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        cwd=code_root(),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["up", "--rate", "fast"], 2, 'command line: --rate: expected messages a second above 0, found "fast"'),
        (["up", "--nope"], 2, "No such option: --nope"),
        (["up", "--rate"], 2, "Option '--rate' requires an argument."),
        (["up", "stray"], 2, "unexpected extra argument(s) (stray)"),
        (["up", "--digest", "/nowhere/d.json"], 2, "--digest: expected a file in a folder that exists"),
        (["up", "--digest-trace", "d.trace"], 2, "--digest-trace: expected --digest FILE beside it"),
        (["digest"], 2, "Missing argument 'PATH …'"),
        (["digest", "--compare", "one"], 2, "--compare: expected two files"),
        (["digest", "nowhere"], 3, "nowhere: no such recording"),
        (["up", "--source", "nowhere"], 3, "nowhere"),
        (["nope"], 2, "No such command 'nope'"),
        (["tail", "orderz"], 2, "(near: orders"),
        (["tail", "book", "--count", "0"], 2, "--count: expected a whole number above 0"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], status: int, says: str) -> None:
    """A wrong command line is one line on the standard error, with the contract's exit status."""
    done = crossbook(*arguments)
    assert done.returncode == status
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_version_and_help() -> None:
    """The version is one line; help names every command."""
    assert crossbook("version").stdout == "0.1.0\n"
    shown = crossbook("--help").stdout
    for command in ("up", "replay", "consumer", "signals", "oms", "tail", "status", "doctor", "warm", "version"):
        assert f" {command} " in shown


@pytest.mark.parametrize("service", ["replay", "consumer", "signals", "oms"])
def test_services_get_their_arguments(service: str) -> None:
    """`crossbook consumer ARGS` is `python -m services.consumer ARGS`, with its own help."""
    assert "--config" in crossbook(service, "--help").stdout


def test_services_complain_in_one_line() -> None:
    """A service's wrong file is exit 2 and one line, through the console script too."""
    done = crossbook("replay", "--config", "/nonexistent/file.toml")
    assert done.returncode == 2
    assert "/nonexistent/file.toml" in done.stderr
    assert done.stderr.count("\n") == 1


def test_tail_without_redis_says_how_to_get_it() -> None:
    """No Redis: exit 3 and one line; a password in the URL is not shown."""
    done = crossbook("tail", "book", REDIS_URL="redis://user:secret@127.0.0.1:1/0")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "***@127.0.0.1:1" in done.stderr
    assert "secret" not in done.stderr
    assert crossbook("tail", "book", REDIS_URL="nonsense").returncode == 3


@pytest.mark.integration
def test_tail_prints_rows_as_they_come(redis_server: str) -> None:
    """Rows written after the start come out, one JSON object a line, of the symbol that was asked for."""
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "tail", "signals", "--symbol", "B", "--count", "2"],
        cwd=code_root(), env={**os.environ, "REDIS_URL": redis_server}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    stop = threading.Event()

    def write() -> None:
        client = redis.Redis.from_url(redis_server)
        while not stop.wait(0.05):
            client.xadd("signals", {"symbol": "A", "action": "buy"})
            client.xadd("signals", {"symbol": "B", "action": "sell"})
        client.delete("signals")
        client.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        out, _ = process.communicate(timeout=30)
    finally:
        stop.set()
        writer.join()
        process.kill()
    rows = [json.loads(text) for text in out.splitlines()]
    assert process.returncode == 0
    assert [(row["symbol"], row["action"]) for row in rows] == [("B", "sell")] * 2


class _Service(BaseHTTPRequestHandler):
    answers: dict[str, tuple[int, object]]

    def do_GET(self) -> None:
        code, body = self.answers.get(self.path, (404, {"error": "no"}))
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Stay silent."""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[tuple[Path, dict[str, tuple[int, object]]]]:
    """A configuration folder whose services all answer at one address, and their answers."""
    answers: dict[str, tuple[int, object]] = {}
    handler = type("Handler", (_Service,), {"answers": answers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name in ("replay", "consumer", "signals", "oms"):
        (tmp_path / f"{name}.toml").write_text(f"http_port = {server.server_port}\n")
    yield tmp_path, answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_status_says_what_is_not_well(stack: tuple[Path, dict[str, tuple[int, object]]]) -> None:
    """Exit 0 when all is well; else 1 with the reason, in words and as JSON."""
    folder, answers = stack
    answers |= {"/readyz": (200, {"ready": True}), "/status": (200, {"state": "running"})}
    done = crossbook("status", "--config", str(folder), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["ok"] is True
    answers["/readyz"] = (503, {"reason": "Redis is not writable: OOM"})
    answers["/status"] = (200, {"kill_switch": True, "channels": {"okx": {"lost": 3}}, "redis": {"dropped": 2}})
    done = crossbook("status", "--config", str(folder), "--json")
    assert done.returncode == 1
    trouble = {name: each["trouble"] for name, each in json.loads(done.stdout)["services"].items()}
    assert trouble["signals"] == ["Redis is not writable: OOM"]
    assert trouble["oms"] == ["Redis is not writable: OOM", "the kill switch is on"]
    assert trouble["consumer"][1:] == ["lost okx 3", "Redis records dropped: 2"]
    assert "the kill switch is on" in crossbook("status", "--config", str(folder)).stdout


def test_status_of_nothing_is_exit_3(tmp_path: Path, free_port: int) -> None:
    """Where nothing runs, the line says where it asked and how to start it."""
    for name in ("replay", "consumer", "signals", "oms"):
        (tmp_path / f"{name}.toml").write_text(f"http_port = {free_port}\n")
    done = crossbook("status", "--config", str(tmp_path))
    assert done.returncode == 3
    assert f"127.0.0.1:{free_port}" in done.stderr
    assert done.stderr.count("\n") == 1
