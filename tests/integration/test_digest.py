"""One recording, four ways: real multicast with receive batches of 1 and 64, and offline twice: the same digest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli.arguments import code_root
from tests.integration.runs import Running

pytestmark = [pytest.mark.integration, pytest.mark.slow]
DATA = Path(__file__).resolve().parents[1] / "data/binance"


def with_batch(folder: Path, batch: int) -> Path:
    """Return a copy of the configuration that receives so many datagrams at once."""
    config = folder / f"config-{batch}"
    shutil.copytree(code_root() / "config", config)
    path = config / "consumer/symbols.json"
    symbols = json.loads(path.read_text())
    symbols["udp_config"]["receive_batch"] = batch
    path.write_text(json.dumps(symbols))
    return config


def offline(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `crossbook digest`."""
    command = [sys.executable, "-m", "services.cli", "digest", *arguments]
    return subprocess.run(command, cwd=code_root(), capture_output=True, text=True, timeout=300, check=False)


def test_a_recording_has_one_digest(start: Callable[..., Running], tmp_path: Path) -> None:
    """Chains and quotes are equal, and so is every link of them."""
    traces = [tmp_path / f"{k}.trace" for k in range(4)]
    found = []
    for trace in traces[:2]:
        done = offline(str(DATA), "--trace", str(trace))
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    for trace, batch in zip(traces[2:], (1, 64), strict=True):
        document = tmp_path / f"{batch}.json"
        config = with_batch(tmp_path, batch)
        run = start(
            "--source", str(DATA), "--speed", "20", "--config", str(config), "--digest", str(document),
            "--digest-trace", str(trace),
        )  # fmt: skip
        assert run.wait() == 0, run.said()
        found.append(json.loads(document.read_text()))
    for each in found:
        assert each["complete"], each["shortcomings"]
        assert each["symbols"] == found[0]["symbols"]
        assert each["nbbo"] == found[0]["nbbo"]
    assert {"binance BTC-USDT", "binance BTC-USD-PERP"} == set(found[0]["symbols"])
    for trace in traces[1:]:
        done = offline("--compare", str(traces[0]), str(trace))
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "links of 8 chains are equal" in done.stdout
