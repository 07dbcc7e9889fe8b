"""``crossbook capture``: what is multicast is in the file, stamped by the kernel, and can be played again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from libs.offline.passes import Pass
from libs.storage.hftp import HftpCapture
from libs.storage.lines import BadLines
from libs.storage.pcap import read_pcap
from libs.storage.source import RecordingSource
from libs.wire.messages import encode_datagram
from services.cli.__main__ import main
from tests.libs.engine.harness import LAST, Feed

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
GROUPS = ("239.192.7.11", "239.192.7.12")


@pytest.fixture
def folder(tmp_path: Path, free_port: int) -> Path:
    """Give a folder of configuration with two lines."""
    (tmp_path / "consumer.toml").write_text('symbols_file = "symbols.json"\n')
    line_b = {"group": GROUPS[1], "port": free_port}
    udp = {"group": GROUPS[0], "port": free_port, "interface": "127.0.0.1", "line_b": line_b}
    (tmp_path / "symbols.json").write_text(json.dumps({"udp_config": udp}))
    return tmp_path


def test_both_lines_until_it_is_ended(folder: Path, free_port: int) -> None:
    """A signal ends it; the file is whole, and an event is played again once."""
    target = folder / "x.pcap"
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "capture", str(target), "--config", str(folder)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert GROUPS[1] in process.stderr.readline()
        feed = Feed()
        parts = [
            [feed.heartbeat(), feed.instrument(), feed.snapshot()],
            [feed.book(LAST, [(1, 1)], [])],
            [feed.trade()],
        ]
        began = time.time_ns()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            for messages in parts:
                for group in GROUPS:
                    sender.sendto(encode_datagram(messages), (group, free_port))
        deadline = time.monotonic() + 60
        while len(list(read_pcap(target, BadLines()))) < 6:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "6 datagrams" in said and "0 dropped" in said
    packets = list(read_pcap(target, BadLines()))
    assert sorted(packet.address for packet in packets) == sorted(GROUPS * 3)
    assert all(began <= packet.ns <= time.time_ns() for packet in packets)
    assert len(list(HftpCapture([target]).events(BadLines()))) == 3
    rows = sum(len(block.features) for block in Pass(RecordingSource([target]), levels=1).blocks())
    assert rows == 2


def test_a_time_and_a_size_end_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With nothing on the network the file is an empty capture."""
    target = folder / "x.pcap"
    assert main(["capture", str(target), "--config", str(folder), "--duration", "0.3"]) == 0
    assert "0 datagrams" in capsys.readouterr().out
    assert list(read_pcap(target, BadLines())) == []
    assert main(["capture", str(target), "--config", str(folder), "--max-mib", "0.00001"]) == 0


@pytest.mark.parametrize("words", [["--duration", "0"], ["--max-mib", "x"]])
def test_what_is_wrong_is_said(folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2; a file that cannot be written: 3."""
    assert main(["capture", str(folder / "x.pcap"), "--config", str(folder), *words]) == 2
    assert "a number above 0" in capsys.readouterr().err
    assert main(["capture", str(folder / "no" / "x.pcap"), "--config", str(folder), "--duration", "1"]) == 3
