"""Other sockets on the lines' ports: who would keep the consumer away, and who drops datagrams."""

from __future__ import annotations

import errno
import socket

from services.cli.doctor.check import Check, broken, ok, warning
from services.cli.doctor.setup import Line, Setup
from services.cli.doctor.system import Process, UdpSocket

Owners = dict[int, Process | None]
"""Of each socket, by its inode."""


def is_consumer(process: Process | None) -> bool:
    """Return whether a process is a consumer of Crossbook."""
    words = process.command.split() if process else []
    return "services.consumer" in words or ("consumer" in words and any(w.endswith("crossbook") for w in words[:2]))


def on_lines(setup: Setup, sockets: list[UdpSocket]) -> list[UdpSocket]:
    """Return the sockets that hear one of the lines."""
    return [each for each in sockets for line in setup.lines if _hears(each, line)]


def _hears(each: UdpSocket, line: Line) -> bool:
    return each.port == line.port and each.address in (line.group, "0.0.0.0")


def can_bind(line: Line) -> bool:
    """Return whether the consumer could bind the line's port beside who is there, as it does: with SO_REUSEADDR."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((line.group, line.port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def check_port(setup: Setup, line: Line, sockets: list[UdpSocket], owners: Owners, *, free: bool) -> Check:
    """Judge who else is bound to a line's port.

    Datagrams of a group go to every socket that is bound to the group or to any address, so no such socket takes one
    away; but a socket without SO_REUSEADDR lets no other in.

    Parameters
    ----------
    sockets : list of UdpSocket
        All of the machine but the doctor's own.
    owners : dict
        Whose they are, as far as it can be seen.
    free : bool
        What :func:`can_bind` says.
    """
    name = f"port_{line.name.lower()}"
    here = [each for each in sockets if each.port == line.port]
    hearing = [each for each in here if _hears(each, line)]
    consumers = {owner.pid: owner for each in hearing if (owner := owners.get(each.inode)) and is_consumer(owner)}
    others = [each for each in hearing if not is_consumer(owners.get(each.inode))]
    if not free:
        owner = next((owner for each in others if (owner := owners.get(each.inode))), None)
        who = str(owner) if owner else "a process of another user or namespace"
        mend = f"kill {owner.pid}" if owner else f"sudo ss -ulnp 'sport = :{line.port}' and stop it"
        return broken(
            name,
            f"{who} holds {line.at} without SO_REUSEADDR: the consumer cannot bind it",
            f"{mend}, or set {line.key}.port in {setup.files['symbols']}",
        )
    if len(consumers) > 1:
        pids = sorted(consumers)
        found = (
            f"{len(pids)} consumers on {line.at} (processes {', '.join(map(str, pids))}): each publishes the same rows"
        )
        return warning(name, found, f"kill {pids[-1]}")
    unicast = [each for each in here if not _hears(each, line)]
    if unicast:
        each = unicast[0]
        holder = owners.get(each.inode)
        who = str(holder or "another user's process")
        found = (
            f"{who} is bound to {each.address}:{each.port}: a sender that is given that address instead of the group"
        )
        mend = f"kill {holder.pid}" if holder else f"sudo ss -ulnp 'sport = :{line.port}'"
        return warning(name, f"{found} speaks to it alone", mend)
    who = ", ".join(f"the consumer (process {pid})" for pid in consumers) or "no consumer yet"
    beside = [str(owners.get(each.inode) or "another user's process") for each in others]
    listening = f"; {', '.join(beside)} listens too and gets its own copy" if beside else ""
    return ok(name, f"{line.at}: {who}{listening}")


def check_drops(setup: Setup, before: list[UdpSocket], after: list[UdpSocket], owners: Owners, span_s: float) -> Check:
    """Judge whether receive buffers overflow.

    Parameters
    ----------
    before, after : list of UdpSocket
        The sockets that hear the lines, ``span_s`` seconds apart.
    """
    name = "drops"
    key = f"udp_config.buffer_size in {setup.files['symbols']}"
    first = {each.inode: each.drops for each in before}
    growing = [
        (each.drops - first[each.inode], each) for each in after if each.drops > first.get(each.inode, each.drops)
    ]
    # The consumer's own matter more than a neighbour's.
    growing.sort(key=lambda pair: (is_consumer(owners.get(pair[1].inode)), pair[0]), reverse=True)
    if growing:
        count, each = growing[0]
        owner = owners.get(each.inode)
        found = f"{owner or 'a socket'} lost {count:,} datagrams at {each.address}:{each.port} in {span_s:.1f} s"
        mend = f"raise {key}, and: sysctl -w net.core.rmem_max={2 * setup.consumer.udp_config.buffer_size}"
        if is_consumer(owner) or owner is None:
            return broken(
                name, f"{found}: its buffer is full", f"{mend}; give it a core: processing_config.receive_core"
            )
        return warning(name, f"{found}; it is no consumer and takes nothing from one", f"stop it: kill {owner.pid}")
    total = sum(each.drops for each in after)
    if total:
        return warning(
            name, f"{total:,} datagrams dropped since the sockets were opened, none while looking",
            f"if it grows at bursts, raise {key} and net.core.rmem_max",
        )  # fmt: skip
    return ok(name, "none" if after else "nobody listens, nothing to drop")
