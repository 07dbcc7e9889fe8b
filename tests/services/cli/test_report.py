"""The report and its checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.cli.report import Run, Statuses, build, channel_report, failed_checks, write_report

LEDGER = {
    "sent": 90, "received": 96, "before_join": 5, "applied": 80, "refused": {"not_valid": 3}, "duplicate": 6, "late": 2,
    "lost": 7, "pending": 5, "gaps": 4, "healed_by": {"line": 1, "snapshot": 2}, "heartbeats": 12,
}  # fmt: skip


def _statuses(**ledger: Any) -> Statuses:
    clean = LEDGER | {"lost": 0, "pending": 0, "before_join": 0, "refused": {}, "received": 88, "applied": 80} | ledger
    return Statuses(
        replay={"state": "done", "source": "synthetic", "seed": 3, "sent": {"binance": {"next_sequence": 81}}},
        consumer={
            "channels": {"binance": clean},
            "books": {"total": 4, "valid": 0, "crossed": 0, "diverged": 0},
            "updates_applied": 300,
            "trades_applied": 20,
            "latency_ns": {"wire": {"count": 1, "p50_ns": 2, "p99_ns": 3, "p999_ns": 4, "max_ns": 5}},
            "rss_bytes": 1000,
        },
        signals={"signals": 9, "costs": "real", "latency_ns": {"signal": {"count": 7}}},
        oms={"orders": {"intents": 3, "sent": 2, "filled": 1, "rejected": 0, "denied": {"price_collar": 1}}},
        before_end={"books": {"total": 3, "valid": 4, "crossed": 1, "diverged": 0}, "nbbo": {"normal": 2}},
    )


def test_keys_are_those_of_the_contract() -> None:
    """Every key that cli.md names is there, whether or not the services ever spoke."""
    for statuses in (_statuses(), Statuses()):
        report = build(statuses, Run("1.2.3", 0.0))
        assert set(report) >= {
            "version", "source", "seed", "duration_s", "ready_s", "channels", "malformed", "books", "updates_applied",
            "trades_applied", "messages_per_s", "updates_per_s", "features_rows", "nbbo_rows", "signals", "costs",
            "orders", "latency_ns", "ring", "redis", "rss_bytes", "http",
        }  # fmt: skip
        assert set(report["books"]) >= {"total", "valid", "crossed", "diverged"}
        assert set(report["orders"]) >= {"intents", "sent", "filled", "rejected", "denied"}
        stages = {"wire", "book", "publish", "signal", "order", "sender_late", "conflation_age", "heal"}
        assert set(report["latency_ns"]) >= stages
        for stage in stages:
            assert set(report["latency_ns"][stage]) >= {"count", "p50_ns", "p99_ns", "p999_ns", "max_ns"}
        assert set(report["ring"]) >= {"capacity", "high_water", "dropped"}
        assert set(report["redis"]) >= {"published", "dropped", "reconnects"}
        assert "consumer" in report["rss_bytes"]


def test_figures_come_from_where_they_are_known() -> None:
    """The sender counts what was sent, the receiver what came; rates are over the run's own time."""
    report = build(_statuses(), Run("1", 0.0, duration_s=4.0))
    assert report["channels"]["binance"]["sent"] == 80
    assert report["channels"]["binance"]["unaccounted"] == 0
    assert report["messages_per_s"] == 20.0
    assert report["updates_per_s"] == 80.0
    assert report["signals"] == 9
    assert report["costs"] == "real"
    assert report["latency_ns"]["signal"]["count"] == 7


def test_books_are_counted_before_the_session_ended() -> None:
    """The session's end makes every book invalid, so valid and crossed books are those just before it."""
    report = build(_statuses(), Run("1", 0.0))
    books = report["books"]
    assert (books["total"], books["valid"], books["crossed"]) == (4, 4, 1)
    assert report["nbbo"] == {"normal": 2}


def test_unaccounted_adds_both_equations() -> None:
    """What the sender and the receiver cannot explain stands in one number, computed from those beside it."""
    # 100 - 5 - 80 - 3 - 7 - 5 = 0 and 96 - 80 - 3 - 6 - 2 - 5 = 0
    assert channel_report(100, LEDGER)["unaccounted"] == 0
    assert channel_report(98, LEDGER)["unaccounted"] == 2
    assert channel_report(98, LEDGER | {"duplicate": 3})["unaccounted"] == 5
    assert channel_report(None, LEDGER)["sent"] == 90


def test_a_channel_that_was_never_heard_is_unaccounted() -> None:
    """Messages that were sent into a channel that the consumer knows nothing of do not vanish from the sums."""
    report = build(Statuses(replay={"sent": {"okx": {"next_sequence": 11}}}), Run("1", 0.0))
    assert report["channels"]["okx"]["unaccounted"] == 10


def test_channels_that_the_consumer_does_not_take_are_left_out() -> None:
    """What was sent on a channel that the configuration leaves to others is no loss of this run."""
    sent = {name: {"next_sequence": 11} for name in ("okx", "binance")}
    report = build(Statuses(replay={"sent": sent}, consumer={"taken_channels": ["okx"]}), Run("1", 0.0))
    assert set(report["channels"]) == {"okx"}


def test_a_killed_sender_leaves_the_receivers_count() -> None:
    """A replay that was started again counts from 0; the messages of its first life are not called unaccounted."""
    statuses = _statuses(sent=80)
    statuses.replay["sent"]["binance"]["next_sequence"] = 31
    assert build(statuses, Run("1", 0.0))["channels"]["binance"]["unaccounted"] == 50
    channel = build(statuses, Run("1", 0.0, restarts={"replay": 1}))["channels"]["binance"]
    assert (channel["sent"], channel["unaccounted"]) == (80, 0)


def test_healed_by_has_every_way() -> None:
    """The ways of healing are all there, in the contract's names; what else the consumer says stays."""
    channel = channel_report(100, LEDGER)
    assert channel["healed_by"] == {"line": 1, "retransmission": 0, "snapshot": 2, "feed": 0}
    assert channel["heartbeats"] == 12


def _failed(statuses: Statuses, **about: Any) -> list[str]:
    run = Run("1", 0.0, **about)
    return failed_checks(build(statuses, run), run)


def test_a_clean_run_has_no_failed_check() -> None:
    """Nothing lost, pending or unaccounted: nothing to say."""
    assert _failed(_statuses(), ended={"oms": 0}, restarts={"oms": 0}) == []


def test_failed_checks_are_named() -> None:
    """Each check that does not hold is one line with its number."""
    lost = _statuses(lost=2, applied=78, received=86)
    assert _failed(lost) == ["lost: 2 messages of binance"]
    assert _failed(lost, loss_wanted=True) == []
    assert _failed(_statuses(applied=79)) == ["unaccounted: 2 messages of binance"]
    assert _failed(_statuses(pending=1, applied=79)) == ["pending: 1 messages of binance at the stop"]
    assert _failed(Statuses()) == ["sent: not one message"]
    bad = _statuses()
    bad.replay |= {"malformed_lines": 3, "bad_lines": ["a.jsonl:7: not JSON: nonsense"]}
    bad.consumer |= {"malformed": {"truncated": 2}, "redis": {"dropped": 5}}
    bad.consumer["books"]["diverged"] = 1
    assert _failed(bad, ended={"replay": 1, "oms": -9}, restarts={"consumer": 1}) == [
        "malformed datagrams: 2",
        "malformed lines in the recording: 3",
        "Redis records dropped: 5",
        "books diverged: 1",
        "malformed line: a.jsonl:7: not JSON: nonsense",
        "restarts of consumer: 1",
        "exit status of oms: -9",
    ]


def test_the_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A report that cannot be written leaves the old one; no half-written file stays beside it."""
    path = tmp_path / "report.json"
    write_report(path, {"a": 1})
    with pytest.raises(TypeError):
        write_report(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
