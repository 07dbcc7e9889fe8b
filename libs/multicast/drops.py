"""What waits in a socket, and the datagrams that the kernel dropped because its buffer was full."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

TABLE = Path("/proc/net/udp")


class Queue(NamedTuple):
    """Bytes that wait to be read, with what the kernel needs around them, and datagrams dropped since the start."""

    waiting: int
    drops: int


def receive_queue(inode: int, table: Path = TABLE) -> Queue | None:
    """Return a socket's columns ``rx_queue`` and ``drops`` of /proc/net/udp; None when it is not listed.

    At silence only this knows: SO_RXQ_OVFL comes with the next datagram.

    Parameters
    ----------
    inode : int
        Of the socket (``os.fstat(fd).st_ino``).
    """
    for line in table.read_text().splitlines()[1:]:
        columns = line.split()
        if columns[9] == str(inode):
            return Queue(int(columns[4].split(":")[1], 16), int(columns[12]))
    return None
