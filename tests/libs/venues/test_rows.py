"""Levels in the venues' other shapes, against decimal.Decimal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.venues.rows import ACTION, OBJECT, PLAIN, SIDED, RowParser

PARSERS = {shape: RowParser(shape, 64) for shape in (PLAIN, ACTION, SIDED, OBJECT)}

mantissas = st.integers(0, 9 * 10**6)
texts = st.one_of(
    st.builds(lambda m, p: format(Decimal(m).scaleb(-p), "f"), mantissas, st.integers(0, 8)),
    st.builds(lambda m, p, e, s: f"{Decimal(m).scaleb(-p):f}{e}{s}", mantissas, st.integers(0, 4),
              st.sampled_from(["e", "E", "e+", "E-", "e-0"]), st.integers(0, 4)),
)  # fmt: skip
rows = st.lists(st.tuples(st.sampled_from([0, 1]), texts, texts, st.booleans()), max_size=8)


def written(shape: int, row: tuple[int, str, str, bool]) -> str:
    side, price, size, quoted = row
    price_text, size_text = (f'"{t}"' if quoted else t for t in (price, size))
    if shape == PLAIN:
        return f'[{price_text}, {size_text},"0",[1,{{"a":"]"}}]]'
    if shape == ACTION:
        return f'["{("new", "change")[side]}",{price_text},{size_text}]'
    if shape == SIDED:
        return f'["{("buy", "sell")[side]}",{price_text},{size_text}]'
    word = ("bid", "offer")[side]
    return f'{{"x":{{"y":[1,"}}"]}},"new_quantity":{size_text},"side":"{word}","price_level":{price_text}}}'


def parse(shape: int, first: str, second: str | None = None, *units: int) -> tuple[int, int, int, int, list[int]]:
    two = ("[]" if second is None else second).encode() if shape in (PLAIN, ACTION) else None
    found = PARSERS[shape].parse(first.encode(), two, *(units or (0, 0)))
    return (*found[:4], found[4].tolist())


@pytest.mark.parametrize("shape", [PLAIN, ACTION, SIDED, OBJECT])
@given(drawn=rows, price_unit=st.integers(-4, 0), size_unit=st.integers(-4, 0))
def test_every_value_is_exact_in_every_shape(
    shape: int, drawn: list[tuple[int, str, str, bool]], price_unit: int, size_unit: int
) -> None:
    """Mantissa times ten to the exponent is the text's value, sides keep their order, units are as coarse as can be."""
    halves = [[row for row in drawn if row[0] == side] for side in (0, 1)]
    if shape in (PLAIN, ACTION):
        found = parse(
            shape, *(f"[{','.join(written(shape, row) for row in h)}]" for h in halves), price_unit, size_unit
        )
    else:
        found = parse(shape, f"[{','.join(written(shape, row) for row in drawn)}]", None, price_unit, size_unit)
    n_bids, n_asks, price_exp, size_exp, levels = found
    assert (n_bids, n_asks) == (len(halves[0]), len(halves[1]))
    values = [Decimal(text) for row in halves[0] + halves[1] for text in row[1:3]]
    for k, value in enumerate(values):
        assert Decimal(levels[k]).scaleb((price_exp, size_exp)[k % 2]) == value
    for half, (unit, used) in enumerate(((price_unit, price_exp), (size_unit, size_exp))):
        needed = [v.normalize().as_tuple().exponent for v in values[half::2] if v]
        assert used == min([unit, 0, *needed])


def test_json_numbers_as_deribit_writes_them() -> None:
    """4e-05 is 4 units of 10^-5; a deleted level has size 0 whatever amount stands beside it."""
    text = '[["new",4e-05,2.6],["delete",4714.0,7.5]]'
    assert parse(ACTION, text) == (2, 0, -5, -1, [4, 26, 471_400_000, 0])


def test_the_last_event_time_is_kept() -> None:
    """What Coinbase's engine says of the last update."""
    first = '{"side":"bid","event_time":"A","price_level":"1","new_quantity":"2"}'
    parse(OBJECT, f"[{first},{first.replace('A', 'B')}]")
    assert PARSERS[OBJECT].event_time == "B"
    parse(OBJECT, "[]")
    assert PARSERS[OBJECT].event_time == ""


WRONG: list[tuple[int, str]] = [
    *((shape, text) for shape in (PLAIN, ACTION, SIDED, OBJECT) for text in ("", "[", "{}", "[[]]", "[{}]", "[,]")),
    *((PLAIN, f"[{row}]") for row in (
        '["1"]', '["-1","2"]', '["1","-2"]', '["nan","2"]', '["1.2.3","2"]', '["1","2"', '["1","2",]', '["1e","2"]',
        '["1","2]', '["","2"]', '[null,"2"]', '[" 1","2"]', '["1 ","2"]', '["1","2"]["1","2"]', '["1","0.-10000"]',
    )),
    *((ACTION, f"[{row}]") for row in ('["old",1,2]', "[1,2,3]", '["new",1]', '["new",-1,2]', '["new",NaN,2]')),
    *((SIDED, f"[{row}]") for row in ('["bidding","1","2"]', '["1","2"]', '["buy","1"]')),
    *((OBJECT, f"[{row}]") for row in (
        '{"side":"bid","price_level":"1"}', '{"side":"bid","price_limit":"1","new_quantity":"2"}',
        '{"side":"none","price_level":"1","new_quantity":"2"}', '{"side":"bid","price_level":"1","new_quantity":"2"',
        '{"side":"bid","price_level":"-1","new_quantity":"2"}', '{"side":"bid" "price_level":"1","new_quantity":"2"}',
    )),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "text"), WRONG)
def test_what_is_no_level_is_refused_with_what_was_found(shape: int, text: str) -> None:
    """Anything but levels that are not negative is a ValueError that shows the row."""
    with pytest.raises(ValueError, match=r"expected .*, found"):
        parse(shape, text)
    if shape in (PLAIN, ACTION):
        with pytest.raises(ValueError, match=r"expected .*, found"):
            parse(shape, "[]", text)


@given(st.text(alphabet='[]{}",:\\e-+.0159 newbidsprice_lvqut', max_size=60), st.sampled_from([0, 1, 2, 3]))
def test_garbage_is_refused_or_read_and_never_read_past_its_end(text: str, shape: int) -> None:
    """Any bytes end in levels or in a ValueError."""
    try:
        found = parse(shape, text)
    except ValueError:
        return
    assert min(found[4], default=0) >= 0


def test_limits_are_limits() -> None:
    """The largest int64 passes, one more does not; more levels than there is room for are refused."""
    largest: Any = 2**63 - 1
    assert parse(PLAIN, f"[[{largest},1]]")[4] == [largest, 1]
    for row in (f"[{largest + 1},1]", "[1e30,1]", "[1e-99,1]", f"[{largest}e1,1]"):
        with pytest.raises(ValueError, match="64 bits"):
            parse(PLAIN, f"[{row}]")
    with pytest.raises(ValueError, match="at most 64 levels"):
        parse(PLAIN, f"[{','.join(['[1,1]'] * 65)}]")
