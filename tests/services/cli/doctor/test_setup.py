"""What is configured, from a folder or from a stack that runs."""

import json

import pytest

from libs.errors import ConfigError
from services.cli.doctor.setup import DEFAULT_RECOVERY, read_setup
from tests.services.cli.doctor.conftest import write_config


def test_the_defaults(setup):
    """Empty files are the services' defaults: one line on loopback, no Redis named, recovery on this machine."""
    made = setup(consumer="")
    assert [(line.name, line.at, line.key) for line in made.lines] == [("A", "239.192.0.1:9001", "udp_config")]
    assert (made.interface, made.loopback, made.redis_named, made.running) == ("127.0.0.1", True, False, False)
    assert made.recovery == (DEFAULT_RECOVERY,)
    assert (made.sender.ttl, made.sender.rate, made.sender.targets) == (0, 5000.0, (("239.192.0.1", 9001),))


def test_what_is_written(setup):
    """Lines, rate, ttl and recovery servers as the files say."""
    made = setup(
        udp={"line_b": {"group": "239.192.0.2", "port": 9002}},
        replay='rate = 100\nttl = 3\nlines = "ab"\n[line_b]\ngroup = "239.192.0.5"\nport = 9005',
        consumer='[[recovery]]\nhost = "10.0.0.1"\nport = 9999',
    )
    assert [line.key for line in made.lines] == ["udp_config", "udp_config.line_b"]
    assert (made.sender.ttl, made.sender.rate) == (3, 100.0)
    assert made.sender.targets[1] == ("239.192.0.5", 9005)
    assert made.recovery == (("10.0.0.1", 9999),)
    assert setup(consumer="recovery = []").recovery == ()


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"replay": "ttl = 300"}, "ttl"),
        ({"replay": "port = 0"}, "port"),
        ({"replay": "mtu_payload = 5"}, "mtu_payload"),
        ({"replay": 'rate = "fast"'}, "rate"),
        ({"replay": 'interface = "eth0"'}, "interface"),
        ({"consumer": "recovery = 3"}, "recovery"),
        ({"consumer": "[[recovery]]\nport = 99999"}, "recovery[0].port"),
        ({"consumer": "[broken"}, "-"),
        ({"udp": {"group": "10.0.0.1"}}, "udp_config.group"),
        ({"udp": {"porrt": 1}}, "udp_config.porrt"),
    ],
)
def test_what_is_wrong_is_named(setup, keys, key):
    """The key of what cannot be understood."""
    with pytest.raises(ConfigError) as error:
        setup(**keys)
    assert error.value.key == key


def test_a_running_stack(tmp_path, monkeypatch, config):
    """Without a folder the newest run's own files count (its port may have moved); mends name the user's."""
    usual = config()
    monkeypatch.setattr("services.cli.doctor.setup.config_folder", lambda named: usual)
    run = write_config(tmp_path / "run", udp={"port": 9444})
    for name, values in (("consumer", {"symbols_file": str(run / "symbols.json")}), ("replay", {"port": 9444})):
        (run / f"{name}.json").write_text(json.dumps({**values, "redis_url": "unix:///tmp/x"}))
    note = {"directory": str(run), "http": {"consumer": ["127.0.0.1", 5555]}, "started": 1}
    monkeypatch.setattr("services.cli.doctor.setup.running", lambda: [note])
    made = read_setup(None)
    assert (made.running, made.lines[0].port, made.redis_url) == (True, 9444, "unix:///tmp/x")
    assert made.redis_named
    assert made.endpoints["consumer"].port == 5555
    assert made.files["symbols"] == str(usual / "symbols.json")
    assert read_setup(str(usual)).lines[0].port == 9001
