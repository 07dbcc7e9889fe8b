"""One recording, four ways: real multicast with receive batches of 1 and 64, and offline twice: the same digest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from libs.digest.trace import differences, read_trace
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


def test_two_runs_of_five_exchanges_see_the_same(start: Callable[..., Running], tmp_path: Path) -> None:
    """The generator's channels interleave as they like; up to where the shorter run ended, every link is equal."""
    traces = []
    for k in range(2):
        files = tmp_path / f"{k}.json", tmp_path / f"{k}.trace"
        run = start(
            "--symbols", "6", "--rate", "1000", "--duration", "4", "--digest", str(files[0]), "--digest-trace",
            str(files[1]),
        )  # fmt: skip
        assert run.wait() == 0, run.said()
        assert json.loads(files[0].read_text())["shortcomings"] == []
        traces.append(read_trace(files[1]))
    assert {"events", "book", "features", "nbbo"} == {kind for _, kind in traces[0].chains}
    assert len(traces[0].chains) == 6 * (5 * 3 + 1)
    assert [str(found) for found in differences(*traces) if found.one and found.other] == []
