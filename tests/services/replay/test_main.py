"""``python -m services.replay``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from services.replay.__main__ import main

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "tests/data/binance"


def test_what_is_missing_or_wrong_ends_with_its_own_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """2 and one line for a wrong file, 3 and one line for a recording that is not there."""
    wrong = tmp_path / "replay.toml"
    wrong.write_text("colour = 1\n")
    assert main(["--config", str(wrong)]) == 2
    assert main(["--config", str(tmp_path / "none.toml")]) == 2
    assert main(["--config", str(ROOT / "config/replay.toml"), "--source", str(tmp_path / "none")]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "colour" in lines[0]
    assert "no such recording" in lines[2]


def get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return json.load(answer)


@pytest.mark.integration
def test_bad_lines_are_named_and_the_exit_status_says_so(tmp_path: Path, free_port: int) -> None:
    """A truncated recording plays as far as it goes; SIGTERM then ends with status 1 within two seconds."""
    data = (DATA / "spot_btcusdt_20240808.gz").read_bytes()
    (tmp_path / "spot_btcusdt_20240808.gz").write_bytes(data[:-2000])
    config = tmp_path / "replay.toml"
    ports = f"port = {free_port}\nhttp_port = 0\nrecovery_port = 0\n"
    config.write_text(f'group = "239.192.7.9"\n{ports}log_format = "json"\nspeed = 50.0\n')
    command = [
        sys.executable,
        "-m",
        "services.replay",
        "--config",
        str(config),
        "--source",
        str(tmp_path / "spot_btcusdt_20240808.gz"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stderr is not None
    said = []
    try:
        for line in process.stderr:
            said.append(json.loads(line))
            if said[-1]["event"] == "done":
                break
        port = next(e["http_port"] for e in said if e["event"] == "ready")
        status = get(port, "/status")
        assert status["state"] == "done"
        assert status["malformed_lines"] == 1
        assert "truncated gzip" in status["bad_lines"][0]
        assert status["sent"]["binance"]["messages"] > 50
        assert any(e["event"] == "bad_line" and e["reason"] == "truncated gzip" for e in said)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        assert process.wait(5) == 1
        assert time.monotonic() - asked < 2.5
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()
