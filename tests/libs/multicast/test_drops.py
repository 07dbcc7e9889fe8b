"""What waits in a socket, and its drop count, are read from the kernel's table by its inode."""

from __future__ import annotations

from pathlib import Path

from libs.multicast.drops import Queue, receive_queue

TABLE = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  371: 0101C0EF:2329 00000000:0000 07 00000000:0000A300 00:00000000 00000000     0        0 91234 2 0 17
 1371: 0201C0EF:2329 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9123 2 0 4000000000
"""


def test_the_column_is_that_of_the_inode(tmp_path: Path) -> None:
    """An inode is compared whole; one that is not listed has none."""
    table = tmp_path / "udp"
    table.write_text(TABLE)
    assert receive_queue(91234, table) == Queue(0xA300, 17)
    assert receive_queue(9123, table) == Queue(0, 4_000_000_000)
    assert receive_queue(123, table) is None
