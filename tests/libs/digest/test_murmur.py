"""The hash against an independent implementation (mmh3, which wraps the reference's C++)."""

from __future__ import annotations

import mmh3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.digest.chain import CHAIN_WORDS, NAN, canonical, extend, text_of
from libs.digest.murmur import hash_pairs_down, hash_words

word = st.one_of(st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)]), st.integers(-(2**63), 2**63 - 1))
blocks = st.lists(st.tuples(word, word), max_size=40)


def reference(data: bytes) -> tuple[int, int]:
    """Return the hash as two signed words."""
    return mmh3.hash64(data, 0, x64arch=True, signed=True)


@given(blocks)
def test_words_hash_as_the_reference_does(pairs):
    """Any even number of words, none included."""
    words = np.array(pairs, np.int64).reshape(-1)
    assert hash_words(words, 0, len(words)) == reference(words.astype("<i8").tobytes())


@given(blocks)
def test_pairs_are_hashed_from_the_end(pairs):
    """Levels are kept worst first and hashed best first."""
    ones, others = (np.array([pair[k] for pair in pairs], np.int64) for k in range(2))
    data = b"".join(np.array(pair, "<i8").tobytes() for pair in reversed(pairs))
    assert hash_pairs_down(ones, others, 0, len(pairs)) == reference(data)


@given(st.lists(blocks, max_size=6))
def test_a_chain_is_the_hash_of_the_link_before_and_the_record(records):
    """Link after link, from zero; the text is the reference's bytes."""
    chain, link = np.zeros(3 + CHAIN_WORDS, np.int64), bytes(16)
    for n, pairs in enumerate(records, 1):
        words = np.array(pairs, np.int64).reshape(-1)
        extend(chain, 3, words, len(words), 100 + n)
        link = mmh3.hash_bytes(link + words.astype("<i8").tobytes(), 0, x64arch=True)
        assert text_of(chain[3:]) == link.hex()
        assert chain[5:].tolist() == [n, 100 + n]
    assert not chain[:3].any()


@given(st.lists(blocks, min_size=1, max_size=6), st.data())
def test_any_change_changes_every_link_after_it(records, data):
    """One bit of one word of one record, and the end differs."""
    arrays = [np.array(pairs, np.int64).reshape(-1) for pairs in records]
    filled = [k for k, words in enumerate(arrays) if len(words)]
    one, other = np.zeros(CHAIN_WORDS, np.int64), np.zeros(CHAIN_WORDS, np.int64)
    if not filled:
        return
    changed, bit = data.draw(st.sampled_from(filled)), data.draw(st.integers(0, 62))
    for k, words in enumerate(arrays):
        extend(one, 0, words, len(words), 0)
        if k == changed:
            words[data.draw(st.integers(0, len(words) - 1))] ^= 1 << bit
        extend(other, 0, words, len(words), 0)
        assert (text_of(one) == text_of(other)) == (k < changed)


@pytest.mark.parametrize("bits", [0x7FF8000000000000, 0x7FF0000000000001, -1, -0x7FFFFFFFFFFFF])
def test_every_nan_is_one(bits):
    """Whatever its sign and payload."""
    assert np.isnan(np.array([bits], np.int64).view(np.float64)[0])
    assert canonical(bits) == NAN


@given(st.floats(allow_nan=False))
def test_other_floats_keep_their_bits(value):
    """Zeros of both signs and infinities too."""
    bits = int(np.array([value]).view(np.int64)[0])
    assert canonical(bits) == bits
