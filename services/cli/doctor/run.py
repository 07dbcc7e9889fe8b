"""`crossbook doctor`: looks, judges, prints."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import dataclass, field, replace
from typing import Any, TextIO

from libs.errors import ConfigError
from libs.telemetry.host import clock
from services.cli.arguments import FILE
from services.cli.doctor import cpus, interfaces, netlink, peers, selftest, sockets, traffic
from services.cli.doctor.check import BROKEN, OK, Check, ok, verdict
from services.cli.doctor.heard import Heard, listen
from services.cli.doctor.setup import Setup, read_setup
from services.cli.doctor.system import Process, System, UdpSocket, allowed_cpus

DEFAULT_TIMEOUT_S = 2.0
COLOURS = {OK: "\033[32m", "warning": "\033[33m", BROKEN: "\033[1;31m"}
DIM, PLAIN = "\033[2m", "\033[0m"
NEIGHBOURS = 14
ENGINE = "container"
"""Podman and systemd set this variable inside a container."""

FOLLOWS = (
    ("container", ()),
    ("port_a", ("membership", "line_a")),
    ("port_b", ("membership", "line_b")),
    ("reverse_path", ("line_a", "line_b")),
    ("interface", ("membership", "multicast", "self_test_a", "self_test_b", "line_a", "line_b", "buffer")),
)
"""What is broken first, and what then fails with it; a later one's mend wins."""
FIRST = ("configuration", "interface", "container", "port_a", "port_b", "reverse_path")
"""These are shown first: others follow from them."""


@dataclass
class Look:
    """What was found, before anything is judged."""

    links: list[netlink.Link]
    link: netlink.Link | None
    routes: dict[str, netlink.Route]
    free: dict[str, bool]
    before: list[UdpSocket]
    after: list[UdpSocket] = field(default_factory=list)
    owners: dict[int, Process | None] = field(default_factory=dict)
    heard: Heard = field(default_factory=Heard)
    back: dict[str, netlink.Route] = field(default_factory=dict)
    span_s: float = 0.0
    reverse_path_drops: int = 0
    throttled: int = 0
    stolen: float = 0.0
    said: tuple[dict[str, Any] | None, dict[str, Any] | None] = (None, None)
    idle: bool = False

    @property
    def names(self) -> dict[int, str]:
        """Interfaces by index."""
        return {link.index: link.name for link in self.links}


def run(config: str | None, timeout: str | None, *, as_json: bool) -> int:
    """Print what is wrong here, and how to mend it.

    Parameters
    ----------
    config : str or None
        Folder of configuration files; None: of the stack that runs, else the usual one.
    timeout : str or None
        Seconds to listen.

    Returns
    -------
    int
        0 when nothing is broken, 1 when something is.

    Raises
    ------
    ConfigError
        When the command line or a configuration file is wrong.
    """
    timeout_s = _timeout(timeout)
    setup = read_setup(config)
    checks = examine(setup, System(), timeout_s)
    well = all(check.state != BROKEN for check in checks)
    if as_json:
        print(json.dumps({"checks": [check.as_dict() for check in checks], "ok": well}, indent=2, ensure_ascii=False))
    else:
        show(checks, sys.stdout)
    return 0 if well else 1


def examine(setup: Setup, system: System, timeout_s: float) -> list[Check]:
    """Look at the machine and judge it; takes ``timeout_s`` and up to some seconds where something does not answer."""
    look = _look(setup, system, timeout_s)
    where = "of the running `crossbook up`" if setup.running else ", ".join(setup.files.values())
    checks = [
        ok("configuration", where),
        *_network(setup, system, look),
        *_ports(setup, look),
        *_traffic(setup, look, timeout_s),
        *_buffers(setup, system, look),
        *_peers(setup, look),
        cpus.check_cpus(setup, allowed_cpus(), cpus.quota(system), look.throttled, look.stolen),
        cpus.check_pins(setup, allowed_cpus()),
        cpus.check_governor(system, allowed_cpus()),
    ]
    return _with_causes(checks)


def _with_causes(checks: list[Check]) -> list[Check]:
    """Return the checks in an order in which to mend them; a failure that follows from another has that one's mend."""
    found = {check.name: check for check in checks}
    for cause, follows in FOLLOWS:
        first = found.get(cause)
        if first is not None and first.state == BROKEN:
            for name in follows:
                if (check := found.get(name)) is not None and check.mend:
                    found[name] = replace(check, mend=first.mend)
    early = [found[name] for name in FIRST if name in found]
    return early + [check for check in found.values() if check.name not in FIRST]


def show(checks: list[Check], out: TextIO) -> None:
    """Print one line a check, aligned, its mend below it, and the verdict at the end."""
    colour = out.isatty() and "NO_COLOR" not in os.environ
    width = max(len(check.name) for check in checks)
    for check in checks:
        state = f"{check.state:<7}"
        shown = f"{COLOURS[check.state]}{state}{PLAIN}" if colour else state
        print(f"{shown}  {check.name:<{width}}  {check.found}", file=out)
        if check.mend:
            mend = f"mend: {check.mend}"
            print(f"{'':<{9 + width}}  {DIM + mend + PLAIN if colour else mend}", file=out)
    said = verdict(checks)
    worst = BROKEN if any(check.state == BROKEN for check in checks) else OK
    print(f"{COLOURS[worst]}{said}{PLAIN}" if colour else said, file=out)


def _timeout(text: str | None) -> float:
    if text is None:
        return DEFAULT_TIMEOUT_S
    expected = "seconds from 0.2 to 60"
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(FILE, "--timeout", expected, f'"{text}"') from None
    if not 0.2 <= value <= 60:
        raise ConfigError(FILE, "--timeout", expected, f'"{text}"')
    return value


def _look(setup: Setup, system: System, timeout_s: float) -> Look:
    links = netlink.links()
    link = interfaces.link_of(links, setup.interface)
    look = Look(
        links=links,
        link=link,
        routes={line.group: netlink.route_to(line.group) for line in setup.lines},
        free={line.name: sockets.can_bind(line) for line in setup.lines},
        before=system.udp_sockets(),
    )
    ports = {line.port for line in setup.lines}
    look.owners = {each.inode: system.owner(each.inode) for each in look.before if each.port in ports}
    filtered, held, ticks = system.reverse_path_drops(), cpus.throttled(system), system.cpu_ticks()
    consumer = setup.endpoints.get("consumer")
    said = consumer.status() if consumer else None
    began = time.monotonic()
    look.heard = listen(setup.lines, setup.interface, link.index if link else 0, _candidates(setup), timeout_s)
    look.span_s = time.monotonic() - began
    inodes = {each.inode for each in look.before}
    look.after = [each for each in system.udp_sockets() if each.inode in inodes]
    look.reverse_path_drops = system.reverse_path_drops() - filtered
    look.throttled = cpus.throttled(system) - held
    stolen, spent = (after - before for after, before in zip(system.cpu_ticks(), ticks, strict=True))
    look.stolen = stolen / spent if spent else 0.0
    look.said = (said, consumer.status() if consumer and said is not None else None)
    sources = {source for at in look.heard.lines.values() for source in at.sources}
    sources |= set(setup.consumer.udp_config.allowed_sources)
    own = {address for each in links for address, _ in each.addresses}
    look.back = {source: netlink.route_to(source) for source in sorted(sources - own)}
    look.idle = setup.loopback and not setup.running and said is None and not look.heard.anything
    look.idle &= not any(sockets.is_consumer(owner) for owner in look.owners.values())
    return look


def _candidates(setup: Setup) -> list[str]:
    """Return groups that a sender may have been given by mistake: the replay's, and the neighbours of ours."""
    found = [group for group, _ in setup.sender.targets]
    for line in setup.lines:
        head, _, last = line.group.rpartition(".")
        found += [f"{head}.{n}" for n in range(max(1, int(last) - 3), min(254, int(last) + 4))]
    known = {line.group for line in setup.lines}
    return [group for group in dict.fromkeys(found) if group not in known][:NEIGHBOURS]


def _network(setup: Setup, system: System, look: Look) -> list[Check]:
    link, heard = look.link, look.heard
    speaks = heard.anything
    checks = [
        interfaces.check_container(system, os.environ.get(ENGINE, ""), look.links, heard=speaks),
        interfaces.check_interface(setup, look.links),
    ]
    if link is None:
        return checks
    others = sum(each.up and bool(each.addresses) and not each.loopback for each in look.links if each != link)
    consumers = [
        each
        for each in sockets.on_lines(setup, look.after)
        if each.port == setup.lines[0].port and sockets.is_consumer(look.owners.get(each.inode))
    ]
    joined = interfaces.joined_on(system, setup.lines[0].group, link) if consumers else None
    snooping = interfaces.check_snooping(system, look.links)
    return [
        *checks,
        interfaces.check_multicast(link, heard=speaks),
        interfaces.check_mtu(setup, link),
        interfaces.check_route(setup, link, look.routes, look.names),
        interfaces.check_memberships(
            system, setup, {name: at.trouble for name, at in heard.lines.items() if at.trouble}, joined
        ),
        interfaces.check_reverse_path(system, link, look.back, look.reverse_path_drops, others=others),
        *([snooping] if snooping else []),
    ]


def _ports(setup: Setup, look: Look) -> list[Check]:
    ports = [
        sockets.check_port(setup, line, look.before, look.owners, free=look.free[line.name]) for line in setup.lines
    ]
    tests = [
        selftest.check_echo(setup, line, selftest.echo(line.group, setup.interface))
        for line in setup.lines
        if look.link
    ]
    return [*ports, *tests]


def _traffic(setup: Setup, look: Look, timeout_s: float) -> list[Check]:
    heard = look.heard
    lines = [traffic.check_line(setup, line, heard, look.names, timeout_s, idle=look.idle) for line in setup.lines]
    found = (
        traffic.check_senders(heard),
        traffic.check_sources(setup, heard),
        traffic.check_ttl(setup, heard, look.link),
        traffic.check_clock(setup, heard, clock()),
    )
    return [*lines, *(check for check in found if check is not None)]


def _buffers(setup: Setup, system: System, look: Look) -> list[Check]:
    line = traffic.busiest(look.heard)
    rate = line.rate if line and line.rate else setup.sender.rate
    payload = line.mean_bytes if line and line.rate else selftest.PAYLOAD
    udp = setup.consumer.udp_config
    measured = selftest.buffer(udp.group, udp.interface, udp.buffer_size, payload)
    limit = system.sysctl("net/core/rmem_max")
    hearing = (sockets.on_lines(setup, sockets_) for sockets_ in (look.before, look.after))
    before, after = hearing
    losses = peers.check_losses(*look.said)
    return [
        selftest.check_buffer(setup, measured, rate, payload, limit),
        sockets.check_drops(setup, before, after, look.owners, look.span_s),
        *([losses] if losses else []),
    ]


def _peers(setup: Setup, look: Look) -> list[Check]:
    sessions = (session for at in look.heard.lines.values() for known in at.sessions.values() for session in known)
    session = next(sessions, 1)
    answers = [peers.ask_recovery(_address(host), port, session) for host, port in setup.recovery]
    return [
        peers.check_recovery(setup, answers, idle=look.idle),
        peers.check_redis(setup, peers.ping(setup.redis_url), idle=look.idle),
    ]


def _address(host: str) -> str:
    """Return where to reach a server that listens on every address."""
    return socket.inet_ntoa(b"\x7f\0\0\1") if host == "0.0.0.0" else host
