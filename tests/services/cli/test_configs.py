"""The configuration that one run writes for its services."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest

from libs.errors import ConfigError
from services.cli.arguments import code_root, up_options
from services.cli.claims import Claims
from services.cli.configs import SERVICES, Resolved, endpoints_of, resolve, state_folder, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the configuration that a test may change."""
    return Path(shutil.copytree(code_root() / "config", tmp_path / "config"))


def _resolve(folder: Path, run: Path, **given: str) -> Resolved:
    claims = Claims()
    try:
        found = resolve(up_options(config=str(folder), **given), claims, "unix:///run/redis.sock", "p:")
        run.mkdir(exist_ok=True)
        write(found, run)
    finally:
        claims.release()
    return found


def test_command_line_and_run_change_the_files(folder: Path, tmp_path: Path) -> None:
    """What the command line says and what the run needs stands in the resolved files; the rest is the user's."""
    found = _resolve(folder, tmp_path / "run", rate="123", costs="real", duration="9")
    read = {name: json.loads(found.files[name].read_text()) for name in SERVICES}
    assert read["replay"]["rate"] == 123
    assert read["replay"]["start_paused"] is True
    assert read["replay"]["duration_s"] == 0
    assert read["signals"]["costs"] == "real"
    assert read["signals"]["max_books"] == 16_384
    for name in ("consumer", "signals", "oms"):
        assert read[name]["redis_url"] == "unix:///run/redis.sock"
        assert read[name]["stream_prefix"] == "p:"
    for name in SERVICES:
        assert read[name]["http_port"] == found.endpoints[name].port
        assert read[name]["log_format"] == "json"


def test_sender_and_receiver_meet(folder: Path, tmp_path: Path) -> None:
    """The replay sends where the consumer listens, on another port when the wanted one is heard by somebody else."""
    symbols = folder / "consumer" / "symbols.json"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("239.192.78.1", 0))
        port = other.getsockname()[1]
        document = json.loads(symbols.read_text())
        document["udp_config"] |= {"group": "239.192.78.1", "port": port}
        symbols.write_text(json.dumps(document))
        found = _resolve(folder, tmp_path / "run")
    consumer = json.loads((tmp_path / "run" / "symbols.json").read_text())["udp_config"]
    replay = json.loads(found.files["replay"].read_text())
    assert (replay["group"], replay["port"]) == (consumer["group"], consumer["port"])
    assert consumer["port"] != port
    assert any(f"239.192.78.1:{port} is taken" in note for note in found.moved)


def test_the_consumer_asks_this_runs_sender(folder: Path, tmp_path: Path) -> None:
    """A taken recovery port moves on both sides; with recovery turned off nothing is asked for."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = (folder / "replay.toml").read_text()
        (folder / "replay.toml").write_text(text.replace("recovery_port = 9190", f"recovery_port = {port}"))
        found = _resolve(folder, tmp_path / "run")
    replay = json.loads(found.files["replay"].read_text())
    (server,) = json.loads(found.files["consumer"].read_text())["recovery"]
    assert server == {"host": "127.0.0.1", "port": replay["recovery_port"]}
    assert replay["recovery_port"] != port
    assert any(f"recovery port {port} is taken" in note for note in found.moved)
    (folder / "consumer.toml").write_text("recovery = []\n")
    found = _resolve(folder, tmp_path / "run")
    assert json.loads(found.files["consumer"].read_text())["recovery"] == []


def test_two_lines_reach_both_sides(folder: Path, tmp_path: Path) -> None:
    """Both services know the same second line; with --lines a neither has one."""
    found = _resolve(folder, tmp_path / "run")
    replay = json.loads(found.files["replay"].read_text())
    consumer = json.loads((tmp_path / "run" / "symbols.json").read_text())["udp_config"]
    assert replay["lines"] == "ab"
    assert replay["line_b"] == consumer["line_b"]
    assert (replay["line_b"]["group"], replay["line_b"]["port"]) != (replay["group"], replay["port"])
    _resolve(folder, tmp_path / "run", lines="a")
    assert json.loads((tmp_path / "run" / "symbols.json").read_text())["udp_config"]["line_b"] is None


def test_decimals_keep_their_text(folder: Path, tmp_path: Path) -> None:
    """A tick size that is written as a number reaches the consumer with all its digits."""
    symbols = folder / "consumer" / "symbols.json"
    text = symbols.read_text()
    assert '"tick_size": "0.01", "lot_size": "0.00001"' in text
    symbols.write_text(
        text.replace(
            '"tick_size": "0.01", "lot_size": "0.00001"', '"tick_size": 0.010, "lot_size": 0.00000000000000000001'
        )
    )
    _resolve(folder, tmp_path / "run")
    resolved = (tmp_path / "run" / "symbols.json").read_text()
    assert '"tick_size":0.010,' in resolved
    assert '"lot_size":1E-20,' in resolved


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("replay.toml", "rate = 0.0", "rate = = 0", "replay.toml: -: expected TOML"),
        ("oms.toml", "http_port = 9293", "http_port = 99293", "oms.toml: http_port: expected a port from 0 to 65535"),
        ("consumer/symbols.json", '"239.192.0.1"', '"10.0.0.1"', "udp_config.group: expected a numeric IPv4 multicast"),
        ("consumer.toml", "http_port = 9291", 'shard = "1/2"', 'consumer.toml: shard: expected "1/1", or none'),
        ("consumer/symbols.json", '"port": 9001', '"port": 99001', "udp_config.port: expected a port from 1 to 65535"),
    ],
)
def test_a_wrong_file_is_named(folder: Path, tmp_path: Path, file: str, old: str, new: str, says: str) -> None:
    """What is wrong with a file is said of the user's file before anything starts."""
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        _resolve(folder, tmp_path / "run")
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_complaints_name_the_users_file(folder: Path, tmp_path: Path) -> None:
    """A service complains of its copy; the user reads the name of the file that the copy was made from."""
    found = _resolve(folder, tmp_path / "run")
    complaint = f"consumer: {tmp_path}/run/consumer.json: depth: expected a known key, found a key that does not exist"
    assert found.in_users_words(complaint).startswith(f"consumer: {folder}/consumer.toml: depth:")


def test_state_is_where_the_nearest_word_says(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line wins over the environment, and that over oms.toml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CROSSBOOK_STATE_DIR", raising=False)
    oms = folder / "oms.toml"
    oms.write_text(oms.read_text().replace('state_dir = "var"', 'state_dir = "kept"'))
    plain = up_options(config=str(folder))
    assert state_folder(plain) == tmp_path / "kept"
    monkeypatch.setenv("CROSSBOOK_STATE_DIR", str(tmp_path / "env"))
    assert state_folder(plain) == tmp_path / "env"
    assert state_folder(up_options(config=str(folder), state_dir="line")) == tmp_path / "line"


def test_status_asks_at_the_configured_ports(folder: Path) -> None:
    """The ports of a running stack come from its files, and the contract's where a file is not there."""
    (folder / "oms.toml").unlink()
    path = folder / "consumer.toml"
    path.write_text(path.read_text().replace("http_port = 9291", "http_port = 19291"))
    found = {name: str(endpoint) for name, endpoint in endpoints_of(folder).items()}
    assert found == {
        "replay": "127.0.0.1:9290",
        "consumer": "127.0.0.1:19291",
        "signals": "127.0.0.1:9292",
        "oms": "127.0.0.1:9293",
    }
