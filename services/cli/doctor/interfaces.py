"""Interface, route, filters and memberships: what must hold before a datagram of a group reaches a socket."""

from __future__ import annotations

import ipaddress

from services.cli.doctor.check import Check, broken, ok, warning
from services.cli.doctor.netlink import Link, Route
from services.cli.doctor.setup import Setup
from services.cli.doctor.system import System

UDP_HEADERS = 28
"""Bytes of the IPv4 and the UDP header."""


def link_of(links: list[Link], address: str) -> Link | None:
    """Return the interface that has an address; loopback has all of its network's."""
    wanted = ipaddress.IPv4Address(address)
    for link in links:
        for own, prefix in link.addresses:
            inside = link.loopback and wanted in ipaddress.IPv4Network(f"{own}/{prefix}", strict=False)
            if own == address or inside:
                return link
    return None


def check_interface(setup: Setup, links: list[Link]) -> Check:
    """Judge whether the configured interface is there, up, and connected."""
    name, address = "interface", setup.interface
    link = link_of(links, address)
    key = f"udp_config.interface in {setup.files['symbols']}"
    if link is None:
        if setup.loopback:
            return broken(name, f"lo has no address {address}", "ip link set lo up; ip address add 127.0.0.1/8 dev lo")
        have = [f"{each.addresses[0][0]} ({each.name})" for each in links if each.addresses]
        found = f"no interface has the address {address}; there are {', '.join(have) or 'no addresses at all'}"
        bare = next((each for each in links if not each.loopback and not each.addresses and each.kind != "ifb"), None)
        device = bare.name if bare else "DEVICE"
        return broken(name, found, f"ip address add {address}/24 dev {device}, or set {key}")
    if not link.up:
        return broken(name, f"{link.name} ({address}) is down", f"ip link set {link.name} up")
    if not link.carrier:
        return broken(
            name,
            f"{link.name} ({address}) is up but nothing is connected to it",
            f"check cable, switch port or peer: ip link show {link.name}",
        )
    return ok(name, f"{link.name} has {address} and is up")


def check_multicast(link: Link, *, heard: bool) -> Check:
    """Judge the interface's multicast flag; loopback works without."""
    name = "multicast"
    if link.loopback:
        return ok(name, f"{link.name} carries multicast within this machine")
    if link.multicast:
        return ok(name, f"{link.name} is a multicast interface")
    judge = warning if heard else broken
    return judge(name, f"{link.name} has its multicast flag off", f"ip link set dev {link.name} multicast on")


def check_mtu(setup: Setup, link: Link) -> Check:
    """Judge whether the largest datagram fits the interface: in fragments, one that is lost loses all."""
    name, largest = "mtu", setup.sender.mtu_payload + UDP_HEADERS
    if link.mtu >= largest:
        return ok(name, f"{link.mtu} on {link.name}, the largest datagram has {largest}")
    return warning(
        name,
        f"{link.mtu} on {link.name}, but the largest datagram has {largest} bytes: it travels in fragments",
        f"ip link set dev {link.name} mtu {largest}, or set mtu_payload in {setup.files['replay']} "
        f"to {link.mtu - UDP_HEADERS}",
    )


def check_route(setup: Setup, link: Link, routes: dict[str, Route], names: dict[int, str]) -> Check:
    """Judge where the system would send the groups.

    Crossbook names the interface in every socket and needs no route; other senders and tools do.
    """
    name = "route"
    if link.loopback:
        return ok(name, f"not needed: sender and receiver name {link.name} themselves")
    for line in setup.lines:
        route = routes[line.group]
        mend = f"ip route replace {line.group}/32 dev {link.name}"
        if route.error:
            found = f"no route for {line.group} ({route.error}): senders that name no interface fail"
            return warning(name, found, mend)
        if route.link != link.index:
            other = names.get(route.link, "another interface")
            found = f"{line.group} is routed to {other}, not {link.name}: senders that name no interface miss it"
            return warning(name, found, mend)
    return ok(name, f"{', '.join(line.group for line in setup.lines)} by {link.name}")


def check_reverse_path(system: System, link: Link, back: dict[str, Route], dropped: int, *, others: int = 0) -> Check:
    """Judge whether the kernel drops datagrams because of where they come from.

    Parameters
    ----------
    back : dict
        The route to each known source.
    dropped : int
        By the reverse-path filter while the doctor listened.
    others : int
        Interfaces beside this one and loopback that are up.
    """
    name = "reverse_path"
    if link.loopback:
        return ok(name, "not applied to loopback")
    modes = {each: system.sysctl(f"net/ipv4/conf/{each}/rp_filter") or 0 for each in ("all", link.name)}
    mode = max(modes.values())
    setting = f"net.ipv4.conf.{link.name}.rp_filter"
    loosen = f"sysctl -w {setting}=2"
    said = f"rp_filter is {mode} on {link.name}"
    away = [source for source, route in back.items() if route.link != link.index]
    if mode == 1 and away:
        found = (
            f"{said} (strict) and the way back to {', '.join(away)} is not by {link.name}: its datagrams are dropped"
        )
        return broken(name, found, f"{loosen}, or: ip route add {away[0]}/32 dev {link.name}")
    unreachable = [source for source, route in back.items() if route.error]
    if mode == 2 and unreachable:
        return broken(
            name,
            f"{said} (loose) and there is no way back to {', '.join(unreachable)}: its datagrams are dropped",
            f"ip route add {unreachable[0]}/32 dev {link.name}",
        )
    if dropped:
        mend = loosen if mode == 1 else f"ip route add SENDER/32 dev {link.name}"
        return broken(name, f"{said}; the filter dropped {dropped} datagrams while the doctor listened", mend)
    if mode == 1 and others and not back:
        return warning(name, f"{said} (strict) and the machine has {others} more interfaces", loosen)
    return ok(name, f"{said}, nothing dropped")


def check_memberships(system: System, setup: Setup, trouble: dict[str, str], joined: bool | None) -> Check:
    """Judge IGMP: the limit of memberships, whether the groups can be joined, and whether the consumer has.

    Parameters
    ----------
    trouble : dict
        By line: why it could not be joined; empty when it could.
    joined : bool or None
        Whether a running consumer's groups are joined on the interface; None when none runs.
    """
    name = "membership"
    limit = system.sysctl("net/ipv4/igmp_max_memberships")
    if limit is not None and limit < 1:
        return broken(
            name,
            f"igmp_max_memberships is {limit}: no group can be joined",
            "sysctl -w net.ipv4.igmp_max_memberships=20",
        )
    failed = [line for line in setup.lines if trouble.get(line.name)]
    if failed:
        line = failed[0]
        why = trouble[line.name]
        key = f"udp_config.interface in {setup.files['symbols']}"
        return broken(name, f"joining {line.at} on {setup.interface} failed: {why}", f"set {key}; ip -4 address")
    if joined is False:
        return broken(
            name,
            f"a consumer runs but {setup.lines[0].group} is not joined on {setup.interface}",
            f'restart the consumer with udp_config.interface = "{setup.interface}" in {setup.files["symbols"]}',
        )
    forced = system.sysctl("net/ipv4/conf/all/force_igmp_version") or 0
    version = f"; IGMPv{forced} forced" if forced else ""
    return ok(name, f"{', '.join(line.at for line in setup.lines)} joined; limit {limit or '?'} a socket{version}")


def joined_on(system: System, group: str, link: Link) -> bool:
    """Return whether anybody has joined a group on an interface, as /proc/net/igmp says."""
    word = "".join(f"{int(part):02X}" for part in reversed(group.split(".")))
    inside = False
    for line in (system.read("/proc/net/igmp") or "").splitlines()[1:]:
        columns = line.split()
        if columns and columns[0].isdecimal():
            inside = int(columns[0]) == link.index
        elif inside and columns and columns[0] == word:
            return True
    return False


def check_snooping(system: System, links: list[Link]) -> Check | None:
    """Judge bridges of this machine that forget groups because nobody asks who listens; None without bridges."""
    name = "snooping"
    bridges = [link for link in links if link.kind == "bridge" and link.carrier]
    for link in bridges:
        place = f"/sys/class/net/{link.name}/bridge"
        if system.number(f"{place}/multicast_snooping") == 1 and system.number(f"{place}/multicast_querier") == 0:
            return warning(
                name,
                f"bridge {link.name} snoops IGMP without a querier: groups may be cut off after 260 s",
                f"ip link set dev {link.name} type bridge mcast_querier 1",
            )
    return ok(name, f"{', '.join(link.name for link in bridges)} passes groups") if bridges else None


def check_container(system: System, environment: str, links: list[Link], *, heard: bool) -> Check:
    """Judge whether this is a container that has its own network instead of the host's.

    Parameters
    ----------
    environment : str
        The variable ``container``, which some engines set.
    """
    name = "container"
    engines = ("docker", "kubepods", "containerd", "lxc", "libpod")
    group = system.read("/proc/1/cgroup") or ""
    inside = bool(environment) or system.exists("/.dockerenv") or system.exists("/run/.containerenv")
    if not inside and not any(word in group for word in engines):
        return ok(name, "not in a container")
    real = [link for link in links if not link.loopback and link.up]
    bridged = [link for link in real if link.peer_outside and link.kind == "veth"]
    own = next((link for link in real if link not in bridged), None)
    if own is not None:
        return ok(name, f"in a container, with {own.name} beside loopback")
    what = f"only a bridge's interface ({bridged[0].name})" if bridged else "no interface but loopback"
    found = f"in a container with {what}: multicast of the host does not come in"
    mend = "docker run --network host …, or network_mode: host in docker-compose.yml"
    # Loopback alone is enough for a sender and a receiver in one container.
    return (broken if bridged and not heard else warning)(name, found, mend)
