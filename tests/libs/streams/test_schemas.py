"""Layouts of packed records: alignment, names, versions."""

from __future__ import annotations

import numpy as np
import pytest

from libs.features.definitions import COLUMNS
from libs.streams.schemas import SCHEMAS, STATUS, STATUS_KINDS, TOP_LEVELS

SIZES = {
    "features": 152 + 8 * (4 + len(COLUMNS)),
    "book": 152 + 8 + 4 * 8 * TOP_LEVELS,
    "nbbo": 168,
    "arbitrage": 192,
    "trades": 136,
    "status": 152,
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_records_are_whole_words(name: str) -> None:
    """Every record is a multiple of 8 bytes, its 8-byte fields stand on words, and fields fill it without holes."""
    dtype = SCHEMAS[name].dtype
    assert dtype.itemsize % 8 == 0
    at = 0
    for field in dtype.names:
        kind, offset = dtype.fields[field][:2]
        assert offset == at, field
        if kind.base.kind in "iuf":
            assert offset % kind.base.itemsize == 0, field
            assert kind.base.str[0] in "<|", field
        at += kind.itemsize
    assert at == dtype.itemsize


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_of_version_1(name: str) -> None:
    """A layout that grows must take a new version: this is the size of version 1."""
    assert SCHEMAS[name].version == 1
    assert SCHEMAS[name].dtype.itemsize == SIZES[name]


def test_names_agree() -> None:
    """Streams are known by their schema's name, features carry every column, and kinds fit their byte."""
    assert all(name == schema.name for name, schema in SCHEMAS.items())
    assert SCHEMAS["features"].dtype.names[-len(COLUMNS) :] == tuple(COLUMNS)
    assert len(set(STATUS_KINDS)) == len(STATUS_KINDS) <= 256
    assert STATUS["kind"] == np.uint8
