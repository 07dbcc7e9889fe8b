"""Configuration files: what is right is frozen, what is wrong is one line that names it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from libs.config import DecimalText, PositiveDecimal, check_group, check_port, decode, load
from libs.errors import ConfigError


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tick_size: PositiveDecimal
    offset: DecimalText = DecimalText("0")


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    port: int = 1
    ratio: float = 1.0
    inner: list[Inner] = []
    limits: dict[str, int] = {}


def _write(folder: Path, text: str, name: str = "c.json") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("written", "text"),
    [('"0.01"', "0.01"), ("0.01", "0.01"), ("0.010", "0.010"), ("0.0100000000000000001", "0.0100000000000000001")],
)
def test_a_decimal_is_exactly_its_text(tmp_path: Path, written: str, text: str) -> None:
    """A JSON number is taken by its digits, not by the float that is nearest."""
    path = _write(tmp_path, f'{{"inner": [{{"tick_size": {written}}}]}}')
    assert load(path, Outer).inner[0].tick_size == text


def test_toml_is_read_alike(tmp_path: Path) -> None:
    """TOML gives the same struct as JSON."""
    path = _write(tmp_path, 'port = 7\nratio = 0.5\n[[inner]]\ntick_size = 0.001\noffset = "-1"', "c.toml")
    assert load(path, Outer) == Outer(7, 0.5, [Inner(PositiveDecimal("0.001"), DecimalText("-1"))])


@pytest.mark.parametrize(
    ("text", "key", "expected", "found"),
    [
        ('{"prot": 1}', "prot", "a known key (near: port)", "a key that does not exist"),
        (
            '{"inner": [{"tick_size": 1, "tik": 2}]}',
            "inner[0].tik",
            "a known key (near: tick_size)",
            "a key that does not exist",
        ),
        ('{"port": "9001"}', "port", "int", '"9001"'),
        ('{"port": true}', "port", "int", "true"),
        ('{"port": 1.5}', "port", "int", "1.5"),
        ('{"ratio": "x"}', "ratio", "float", '"x"'),
        ('{"inner": [{}]}', "inner[0].tick_size", "a value", "no such key"),
        ('{"inner": [{"tick_size": 0}]}', "inner[0].tick_size", "a decimal above 0", "0"),
        ('{"inner": [{"tick_size": "0.000"}]}', "inner[0].tick_size", "a decimal above 0", '"0.000"'),
        ('{"inner": [{"tick_size": "-1"}]}', "inner[0].tick_size", "a decimal above 0", '"-1"'),
        ('{"inner": [{"tick_size": "1/8"}]}', "inner[0].tick_size", "a decimal above 0", '"1/8"'),
        ('{"inner": [{"tick_size": true}]}', "inner[0].tick_size", "a decimal above 0", "true"),
        ('{"inner": [{"tick_size": "1e300"}]}', "inner[0].tick_size", "a decimal above 0", '"1e300"'),
        ('{"inner": [{"tick_size": 1, "offset": "x"}]}', "inner[0].offset", "a decimal number", '"x"'),
        ('{"inner": {}}', "inner", "array", "{}"),
        ('{"limits": {"a": "b"}}', "limits[...]", "int", "str"),
        ("[]", "-", "object", "[]"),
        ('{"port": 1, "port": 2}', "port", "the key once", "it twice"),
        ('{"ratio": NaN}', "-", "JSON", "NaN is not a number that JSON knows"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, key: str, expected: str, found: str) -> None:
    """The error is one line of file, key, expected and found, and asks for exit status 2."""
    path = _write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path, Outer)
    error = caught.value
    assert (error.file, error.key, error.expected, error.found) == (str(path), key, expected, found)
    assert "\n" not in str(error)
    assert error.exit_status == 2


@pytest.mark.parametrize(("name", "text"), [("c.json", '{"port": '), ("c.toml", "port =\nratio = 1.0")])
def test_what_cannot_be_parsed_is_one_line(tmp_path: Path, name: str, text: str) -> None:
    """A file that is not of its format says where."""
    with pytest.raises(ConfigError, match=r"^\S+: -: expected (JSON|TOML), found .*line 1") as caught:
        load(_write(tmp_path, text, name), Outer)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    """A file that is not there is a configuration error too, and so is a folder."""
    with pytest.raises(ConfigError, match="expected a file, found nothing there"):
        load(tmp_path / "absent.toml", Outer)
    with pytest.raises(ConfigError, match="expected a file, found Is a directory"):
        load(tmp_path, Outer)


def test_plain_values_are_checked_alike() -> None:
    """Values that were parsed elsewhere give the same errors."""
    with pytest.raises(ConfigError, match="given: port: expected int"):
        decode({"port": "x"}, Outer, "given")


@pytest.mark.parametrize("group", ["239.192.0.1", "224.0.0.0", "239.255.255.255"])
def test_a_multicast_group_passes(group: str) -> None:
    """Numeric IPv4 multicast addresses are taken as they are."""
    assert check_group("f", "k", group) == group


@pytest.mark.parametrize(
    "group", ["127.0.0.1", "240.0.0.1", "223.255.255.255", "localhost", "239.192.0", "ff02::1", ""]
)
def test_another_group_is_refused_by_name(group: str) -> None:
    """Unicast, names and IPv6 are refused, with what was found."""
    with pytest.raises(ConfigError) as caught:
        check_group("f", "udp.group", group)
    assert caught.value.key == "udp.group"
    assert caught.value.found == f'"{group}"'


@pytest.mark.parametrize("port", [0, -1, 65536, True])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    """A port is 1 to 65535."""
    assert check_port("f", "k", 65535) == 65535
    with pytest.raises(ConfigError, match="a port from 1 to 65535"):
        check_port("f", "k", port)
