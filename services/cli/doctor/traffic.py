"""What was heard on the lines: whether senders speak, which, how far they reach, and how their clocks stand."""

from __future__ import annotations

import ipaddress
import statistics

from libs.config import shown
from libs.telemetry.host import Clock
from services.cli.doctor.check import Check, broken, ok, warning
from services.cli.doctor.heard import Heard, LineHeard
from services.cli.doctor.netlink import Link
from services.cli.doctor.setup import Line, Setup

EXCHANGES = ("binance", "bybit", "coinbase", "okx", "deribit")
FAR_US = 1_000_000


def check_line(setup: Setup, line: Line, heard: Heard, names: dict[int, str], timeout_s: float, *, idle: bool) -> Check:
    """Judge one line: heartbeats, and where HFTP is to be heard instead.

    Parameters
    ----------
    names : dict
        Interfaces by index.
    idle : bool
        Nothing of Crossbook runs on this machine and none else could be heard.
    """
    name, at = f"line_{line.name.lower()}", heard.lines[line.name]
    if at.sessions:
        rate = f", {at.rate:,.0f} datagrams/s" if at.rate else ""
        who = ", ".join(sorted(at.sources))
        return ok(name, f"{line.at}: heartbeats of {len(at.sessions)} channels from {who}{rate}")
    if at.text:
        return ok(name, f"{line.at}: text messages from {', '.join(sorted(at.sources))}")
    if at.trouble:
        return broken(name, f"{line.at} cannot be joined: {at.trouble}", f"set {line.key} in {setup.files['symbols']}")
    if at.datagrams:
        if at.foreign == at.datagrams:
            return broken(
                name,
                f"{line.at}: {at.foreign} datagrams from {', '.join(sorted(at.sources))}, none of them HFTP",
                f"stop that sender, or choose a free group: {line.key}.group in {setup.files['symbols']}",
            )
        return broken(
            name, f"{line.at}: data but no heartbeat within {timeout_s:g} s", "restart the sender: crossbook replay"
        )
    if places := _elsewhere(setup, heard):
        group, port, link = places[0]
        where = ", ".join(f"{g}:{p} on {names.get(i, '?')} from {heard.elsewhere[g, p, i]}" for g, p, i in places[:3])
        wanted = [f'{line.key}.group = "{group}"'] * (group != line.group) + [f"{line.key}.port = {port}"] * (
            port != line.port
        )
        mend = f"set {' and '.join(wanted)} in {setup.files['symbols']}, or the sender's in {setup.files['replay']}"
        if not wanted:
            mend = f"set udp_config.interface in {setup.files['symbols']} to the address of {names.get(link, '?')}"
        return broken(name, f"silent at {line.at}, but HFTP is sent to {where}", mend)
    silent = f"nothing at {line.at} within {timeout_s:g} s"
    others = [each.name for each in setup.lines if each.name != line.name and heard.lines[each.name].sessions]
    if others:
        meant = (line.group, line.port) in setup.sender.targets
        mend = f'set lines = "ab" in {setup.files["replay"]}, or {line.key} to null in {setup.files["symbols"]}'
        found = f"{silent}, while line {others[0]} speaks: what it loses has no second chance"
        return (broken if meant else warning)(name, found, mend)
    if idle:
        return warning(name, f"{silent}, and nothing of Crossbook runs here", "crossbook up")
    return broken(name, silent, "start the sender: crossbook replay, or crossbook up")


def _elsewhere(setup: Setup, heard: Heard) -> list[tuple[str, int, int]]:
    """Return the places where HFTP was seen and nobody configured it: another line of ours is none."""
    own = {(line.group, line.port) for line in setup.lines if heard.lines[line.name].sessions}
    return [place for place in heard.elsewhere if place[:2] not in own]


def check_senders(heard: Heard) -> Check | None:
    """Judge whether two senders speak on one channel at once; None when nobody speaks."""
    if not heard.anything:
        return None
    for line, at in heard.lines.items():
        for channel, times in at.returns.items():
            # One change is a restart; there and back again are two.
            if times > 1:
                who = ", ".join(f"{source} (session {session})" for session, source in at.sessions[channel].items())
                return broken(
                    "senders",
                    f"two senders on line {line}, channel {EXCHANGES[channel]}: {who}",
                    "stop one, or give it another group: group in its config/replay.toml",
                )
    return ok("senders", "one session a channel")


def check_sources(setup: Setup, heard: Heard) -> Check | None:
    """Judge whether the consumer accepts who speaks; None when nobody does."""
    name, key = "sources", f"udp_config.allowed_sources in {setup.files['symbols']}"
    allowed = setup.consumer.udp_config.allowed_sources
    sources = sorted({source for at in heard.lines.values() for source in at.sources})
    if not sources:
        return None
    refused = [source for source in sources if allowed and source not in allowed]
    if refused:
        judge = broken if len(refused) == len(sources) else warning
        return judge(name, f"datagrams of {', '.join(refused)} are refused", f"add {shown(refused[0])} to {key}")
    if not allowed and not setup.loopback:
        return warning(name, "anybody on the network may send", f"set {key} to {shown(sources)}")
    return ok(name, ", ".join(sources))


def check_ttl(setup: Setup, heard: Heard, link: Link | None) -> Check:
    """Judge how far the sender's datagrams reach."""
    name, ttl = "ttl", setup.sender.ttl
    key = f"ttl in {setup.files['replay']}"
    arrived = {source: seen for at in heard.lines.values() for source, seen in at.sources.items()}
    if not setup.sender.interface.startswith("127.") and ttl == 0:
        # The kernel holds back only what is also listened to on the sender's own machine.
        found = f"ttl = 0: what the replay sends on {setup.sender.interface} is not to leave its machine"
        return (warning if arrived else broken)(name, found, f"set {key} to 1, beyond a router to more")
    far = [source for source in (*setup.consumer.udp_config.allowed_sources, *arrived) if not _near(source, link)]
    if far and ttl <= 1 and not arrived:
        hops = f"ttl = {ttl}, and {far[0]} is behind a router, which drops what has a ttl of 1"
        return warning(name, hops, f"set {key} to at least 2 where the sender runs")
    lowest = min(arrived.values(), default=None)
    if lowest is not None:
        last = [source for source in far if arrived.get(source) == lowest == 1]
        if last:
            found = f"datagrams of {last[0]} arrive with a ttl of 1: one more router would drop them"
            return warning(name, found, f"raise {key} where the sender runs")
        return ok(name, f"sent with {ttl} by configuration, arrives with {lowest}")
    return ok(name, f"{ttl} on {setup.sender.interface} by configuration")


def _near(source: str, link: Link | None) -> bool:
    address = ipaddress.IPv4Address(source)
    if link is None or address.is_loopback:
        return True
    return any(address in ipaddress.IPv4Network(f"{own}/{prefix}", strict=False) for own, prefix in link.addresses)


def check_clock(setup: Setup, heard: Heard, state: Clock | None) -> Check:
    """Judge the offset between the sender's clock and ours: the least of receive time minus timestamp.

    The network's own delay is in it, so it can only be too large by that.
    """
    name = "clock"
    kept = state is None or state.synchronised
    sync = "timedatectl set-ntp true, or: systemctl start chrony"
    offsets = [offset for at in heard.lines.values() for offset in at.offsets_us]
    if not offsets:
        if kept or setup.loopback:
            return ok(name, "no heartbeat to compare with" + ("" if kept else "; not synchronised, one machine"))
        return warning(name, "no heartbeat to compare with; the kernel says the clock is not synchronised", sync)
    least = min(offsets)
    jitter = statistics.quantiles(offsets, n=100)[98] - statistics.median(offsets) if len(offsets) > 1 else 0.0
    found = f"offset {least / 1000:+.3f} ms, jitter {max(0.0, jitter) / 1000:.3f} ms over {len(offsets)} heartbeats"
    limit_us = setup.consumer.processing_config.clock_uncertainty_ms * 1000
    if abs(least) > FAR_US:
        return broken(name, f"{found}: latencies and ages mean nothing", f"on both machines: {sync}")
    if abs(least) > limit_us:
        return warning(name, f"{found}: more than clock_uncertainty_ms allows", f"on both machines: {sync}")
    if not kept and not setup.loopback:
        return warning(name, f"{found}; the kernel says the clock is not synchronised", sync)
    return ok(name, found)


def busiest(heard: Heard) -> LineHeard | None:
    """Return the line with the most datagrams a second."""
    return max(heard.lines.values(), key=lambda line: line.rate, default=None)
