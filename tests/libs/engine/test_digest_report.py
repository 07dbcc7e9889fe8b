"""What a digest says of itself: chains by name, why it may not be of everything, links as a file."""

from __future__ import annotations

from pathlib import Path

from libs.digest import merge
from libs.digest.trace import differences, read_trace
from libs.engine.digest_report import LinkFile, document
from libs.engine.outputs import Q_DROPPED
from libs.sequencing import state as seq
from tests.libs.engine.harness import LAST, MS, Feed
from tests.libs.engine.test_digests import Digested


def fed(host: Digested) -> Digested:
    """Let two exchanges speak of one symbol."""
    feeds = Feed(0), Feed(3)
    for feed in feeds:
        host.take(feed.heartbeat(1))
    for feed in feeds:
        host.take(feed.instrument(), feed.snapshot(), feed.book(LAST, [(9_999, 3)], []), feed.trade())
    host.nbbo()
    return host


def test_chains_stand_under_exchange_and_symbol() -> None:
    """A symbol that nothing was said of is left out."""
    host = fed(Digested())
    host.take((idle := Feed(1)).heartbeat(1), idle.instrument("ETH-USDT"))
    found = document(host.engine.arrays)
    assert list(found["symbols"]) == ["binance BTC-USDT", "okx BTC-USDT"]
    assert found["symbols"]["okx BTC-USDT"]["links"] == {"events": 3, "book": 2, "features": 2}
    assert found["symbols"]["okx BTC-USDT"]["events"] == host.chains()[3, "BTC-USDT"]["events"]
    assert found["nbbo"] == {"BTC-USDT": host.nbbo()["BTC-USDT"]}
    assert (found["complete"], found["shortcomings"]) == (True, [])


def test_a_digest_that_may_lack_something_says_what() -> None:
    """Messages lost or before the join, tops late or merged early, doubts, links without room."""
    host = fed(Digested())
    arrays = host.engine.arrays
    arrays["sequencer_channels"][0, seq.LOST] = 2
    arrays["sequencer_channels"][3, seq.BEFORE_JOIN] = 7
    arrays["digest_merge"][-1, [merge.LATE, merge.FORCED, merge.DOUBTS]] = 1, 2, 3
    arrays["digest_trace_control"][Q_DROPPED] = 4
    found = document(arrays)
    assert not found["complete"]
    said = (
        "binance: 2 messages lost",
        "okx: 7 messages before it joined",
        "1 tops came",
        "2 tops were",
        "3 times",
        "4 links",
    )
    assert len(found["shortcomings"]) == len(said)
    for words in said:
        assert any(words in why for why in found["shortcomings"]), words


def test_a_doubted_channel_is_a_shortcoming() -> None:
    """While its books are suspect they make no features rows."""
    host, feed = Digested(), Feed()
    host.take(feed.heartbeat(1), feed.instrument(), feed.snapshot())
    missing = feed.trade()
    host.take(feed.trade())
    host.wait(2 * MS)
    host.take(missing)
    found = document(host.engine.arrays)
    assert found["shortcomings"] == ["features: channels were doubted 1 times, while messages were asked for again"]


def test_links_are_written_with_their_names(tmp_path: Path) -> None:
    """Two traced runs of the same messages do not differ; drained once or at every step."""
    found = []
    for k in range(2):
        host = Digested(traced=True)
        links = LinkFile(host.engine.arrays, tmp_path / str(k))
        if k:
            host.take(Feed(0).heartbeat(1))
            assert links.drain() == 0
        fed(host)
        links.close()
        found.append(read_trace(tmp_path / str(k)))
    assert differences(*found) == []
    assert {key: len(rows) for key, rows in found[0].chains.items()}["okx BTC-USDT", "events"] == 3
    assert ("BTC-USDT", "nbbo") in found[0].chains
