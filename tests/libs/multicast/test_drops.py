"""The drop count of a socket is read from the kernel's table by its inode."""

from __future__ import annotations

from pathlib import Path

from libs.multicast.drops import kernel_drops

TABLE = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  371: 0101C0EF:2329 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 91234 2 0 17
 1371: 0201C0EF:2329 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9123 2 0 4000000000
"""


def test_the_column_is_that_of_the_inode(tmp_path: Path) -> None:
    """An inode is compared whole; one that is not listed has no count."""
    table = tmp_path / "udp"
    table.write_text(TABLE)
    assert kernel_drops(91234, table) == 17
    assert kernel_drops(9123, table) == 4_000_000_000
    assert kernel_drops(123, table) is None
