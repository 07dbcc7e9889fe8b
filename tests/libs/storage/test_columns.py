"""Descriptions of recorded columns."""

from __future__ import annotations

import numpy as np
import pytest

from libs.features.definitions import COLUMNS
from libs.storage.arrow import Origin, table_of
from libs.storage.columns import TABLES, describe
from libs.streams.schemas import SCHEMAS


@pytest.mark.parametrize("stream", SCHEMAS)
def test_every_column_is_described(stream: str) -> None:
    """No column of a stream but a feature is described by its mere name, and every table has its sentence."""
    origin = Origin("", "", [], np.zeros(0, np.int32), [])
    names = table_of(stream, np.zeros(0, SCHEMAS[stream].dtype), origin).column_names
    assert [name for name in names if name not in COLUMNS and describe(name, stream).text == name] == []
    assert TABLES[stream]


def test_a_name_may_mean_more_in_one_table() -> None:
    """The same name has the words of its table; one that nobody knows is its own description."""
    assert describe("bid_size", "nbbo").unit == "base currency"
    assert describe("bid_size", "features") == describe("bid_size")
    assert describe("what_is_this") == ("what_is_this", "")
    assert describe("state_code").text == "Code of state"
