"""Configuration files into frozen structs. Whatever is wrong with one is a ConfigError of one line.

Numbers with a fraction are taken as their text says (``parse_float=Decimal``), so that a tick size of ``0.01`` is
exactly that; fields of decimals are typed :class:`DecimalText` and hold that text.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from libs.errors import ConfigError
from libs.units import parse_decimal

T = TypeVar("T")

_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_MESSAGE = re.compile(r"(?P<what>.*?)(?:, got `(?P<got>[^`]*)`)?(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)


class DecimalText(str):
    """A decimal number as text, checked; written in the file as a string or as a number."""

    __slots__ = ()
    expected = "a decimal number"

    @classmethod
    def check(cls, found: object) -> DecimalText:
        """Return the text of a value that a file holds.

        Raises
        ------
        ValueError
            When it is not a decimal of this kind.
        """
        if isinstance(found, bool) or not isinstance(found, str | int | Decimal):
            raise ValueError(f"Expected `{cls.expected}`")
        try:
            mantissa, exponent = parse_decimal(str(found))
        except ValueError:
            raise ValueError(f"Expected `{cls.expected}`") from None
        if not cls.accepts(mantissa, exponent):
            raise ValueError(f"Expected `{cls.expected}`")
        return cls(found)

    @classmethod
    def accepts(cls, mantissa: int, exponent: int) -> bool:
        """Return whether the value is in range."""
        return True


class PositiveDecimal(DecimalText):
    """A decimal above zero that an int64 mantissa and an int8 exponent hold, as on the wire."""

    __slots__ = ()
    expected = "a decimal above 0"

    @classmethod
    def accepts(cls, mantissa: int, exponent: int) -> bool:
        """Return whether it is above zero and fits."""
        return 0 < mantissa < 2**63 and -128 <= exponent <= 127


def load(path: Path, type_: type[T]) -> T:
    """Read a ``.toml`` or ``.json`` file into a struct.

    Parameters
    ----------
    path : Path
    type_ : type
        A frozen msgspec Struct with ``forbid_unknown_fields``.

    Raises
    ------
    ConfigError
        Naming the file, the key, what was expected and what was found; a missing file too.
    """
    return decode(read(path), type_, str(path))


def read(path: Path) -> Any:
    """Return a ``.toml`` or ``.json`` file's content as plain values.

    Raises
    ------
    ConfigError
        When it is not there, cannot be read, or is not of its format.
    """
    toml = path.suffix == ".toml"
    try:
        text = path.read_text(encoding="utf-8")
        if toml:
            return tomllib.loads(text, parse_float=Decimal)
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except FileNotFoundError:
        raise ConfigError(str(path), "-", "a file", "nothing there") from None
    except OSError as error:
        raise ConfigError(str(path), "-", "a file", error.strerror or str(error)) from None
    except _DuplicateKeyError as error:
        raise ConfigError(str(path), error.args[0], "the key once", "it twice") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(str(path), "-", "TOML" if toml else "JSON", " ".join(str(error).split())) from None


def decode(data: Mapping[str, Any], type_: type[T], file: str) -> T:
    """Turn plain values into a struct.

    Raises
    ------
    ConfigError
        Naming ``file``, the key, what was expected and what was found.
    """
    try:
        return msgspec.convert(data, type_, dec_hook=_hook)
    except msgspec.ValidationError as error:
        raise _explain(str(error), data, type_, file) from None


def check_group(file: str, key: str, text: str) -> str:
    """Return a multicast group's address.

    Raises
    ------
    ConfigError
        When the text is not a numeric IPv4 address between 224.0.0.0 and 239.255.255.255.
    """
    expected = "a numeric IPv4 multicast group (224.0.0.0 to 239.255.255.255)"
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise ConfigError(file, key, expected, shown(text)) from None
    if not address.is_multicast:
        raise ConfigError(file, key, expected, shown(text))
    return text


def check_address(file: str, key: str, text: str) -> str:
    """Return a numeric IPv4 unicast address (an interface's, a source's).

    Raises
    ------
    ConfigError
        When the text is something else.
    """
    expected = "a numeric IPv4 address"
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise ConfigError(file, key, expected, shown(text)) from None
    if address.is_multicast:
        raise ConfigError(file, key, expected + ", not a multicast group", shown(text))
    return text


def check_port(file: str, key: str, value: int) -> int:
    """Return a port.

    Raises
    ------
    ConfigError
        When it is not between 1 and 65535.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise ConfigError(file, key, "a port from 1 to 65535", shown(value))
    return value


def near(name: str, known: list[str]) -> str:
    """Return `` (near: …)`` with the known names most like a wrong one, or nothing."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f" (near: {', '.join(close)})" if close else ""


def shown(value: object) -> str:
    """Return a found value as one short line."""
    if isinstance(value, Decimal):
        return str(value)
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


class _DuplicateKeyError(ValueError):
    pass


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateKeyError(key)
        found[key] = value
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number that JSON knows")


def _hook(type_: type, value: object) -> object:
    if issubclass(type_, DecimalText):
        return type_.check(value)
    raise TypeError(f"no field may be of {type_}")


def _explain(message: str, data: Any, type_: type, file: str) -> ConfigError:
    parts = _MESSAGE.fullmatch(message)
    assert parts is not None
    path = (parts["path"] or "$").removeprefix("$")
    what = parts["what"]
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what, re.DOTALL)
    missing = re.fullmatch(r"Object missing required field `(.*)`", what, re.DOTALL)
    if unknown:
        known = _fields(type_, path)
        return ConfigError(
            file, _join(path, unknown[1]), f"a known key{near(unknown[1], known)}", "a key that does not exist"
        )
    if missing:
        return ConfigError(file, _join(path, missing[1]), "a value", "no such key")
    here, value = _value_at(data, path)
    found = shown(value) if here else (parts["got"] or "something else")
    expected = what.removeprefix("Expected ").removeprefix("expected ").replace("`", "").replace("'", "")
    if what.startswith("Invalid enum value"):
        values = getattr(_without_none(_info_at(type_, path)), "values", ())
        expected = f"one of {', '.join(map(str, values))}"
    return ConfigError(file, path.lstrip(".") or "-", expected, found)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}".lstrip(".")


def _value_at(data: Any, path: str) -> tuple[bool, Any]:
    for name, index in _STEP.findall(path):
        try:
            data = data[int(index)] if index else data[name]
        except (KeyError, IndexError, TypeError, ValueError):
            return False, None
    return True, data


def _fields(type_: Any, path: str) -> list[str]:
    """Return the keys that the struct at a path knows."""
    return [f.encode_name for f in getattr(_without_none(_info_at(type_, path)), "fields", ())]


def _info_at(type_: Any, path: str) -> Any:
    info: Any = msgspec.inspect.type_info(type_)
    for name, index in _STEP.findall(path):
        info = _without_none(info)
        if index:
            info = getattr(info, "item_type", getattr(info, "value_type", info))
        else:
            info = next((f.type for f in getattr(info, "fields", ()) if f.encode_name == name), info)
    return info


def _without_none(info: Any) -> Any:
    kinds = getattr(info, "types", None)
    if kinds is None:
        return info
    return next((k for k in kinds if not isinstance(k, msgspec.inspect.NoneType)), info)
