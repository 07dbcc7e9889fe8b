"""Datagrams that the kernel dropped because a socket's buffer was full."""

from __future__ import annotations

from pathlib import Path

TABLE = Path("/proc/net/udp")


def kernel_drops(inode: int, table: Path = TABLE) -> int | None:
    """Return the ``drops`` column of /proc/net/udp for a socket; None when it is not listed.

    At silence only this knows: SO_RXQ_OVFL comes with the next datagram.

    Parameters
    ----------
    inode : int
        Of the socket (``os.fstat(fd).st_ino``).
    """
    for line in table.read_text().splitlines()[1:]:
        columns = line.split()
        if columns[9] == str(inode):
            return int(columns[12])
    return None
