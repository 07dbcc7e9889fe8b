"""Names of the words that the receive thread is configured by and counts in."""

from __future__ import annotations

# Words of ``receive_settings``.
GAP_TIMEOUT_NS = 0
HEAL_TIMEOUT_NS = 1
REORDER_WINDOW = 2
BUSY_POLL = 3
REQUEST_LIMIT = 4  # messages a recovery request; 0: nothing is requested
REQUEST_BELL = 5  # eventfd of who sends the requests; 0: none
LINE_COUNT = 6
OTHER_CHANNELS = 7  # a bit a channel: left to other processes
SHARDS = 8  # processes that share the symbols; 0 or 1: this one takes all
SHARD = 9  # which of them this one is, from 0
RECEIVE_SETTINGS_WORDS = 16

# Words of ``receive_counts``.
BYTES = 0  # by line
OTHER_CHANNEL = 2  # messages of channels that other processes take
FOREIGN_SOURCE = 8
TEXT = 9
UNBELIEVABLE = 10  # messages whose sequence cannot be
KERNEL_DROPS = 11  # by line: last SO_RXQ_OVFL
FOREIGN_RECOVERY = 13  # deliveries of another session
SNAPSHOT_AHEAD = 14  # requested snapshots of what this receiver has not reached, or that are older than it
HOLD_OVERFLOW = 15
MALFORMED = 16  # by code of libs.wire.kernels: MALFORMED + code
DATAGRAMS = 64  # by line and channel: DATAGRAMS + 8 * line + channel; 7: not a known channel
COUNTS = 96

ROW_WIRE, ROW_HEAL = 0, 1

SOURCE = 5
"""Word of ``receive_scratch``: where the messages at hand came from (libs.sequencing.holes.LINE, RECOVERY)."""
BELL = 6
"""Word of ``receive_scratch`` that is written to the eventfd of who sends the requests."""
NEXT_LOOK = 7
"""Word of ``receive_scratch``: when lines are looked at next."""

# Columns of ``lines``, a row a line and channel.
HEARD_NS = 0  # monotonic time of the last datagram
TRANSIT_NS = 1  # kernel receive time minus scheduled send, averaged over about 16 datagrams
FIRST = 2  # messages that this line brought first
SILENT = 3  # 1 while it is, and the channel is heard by another line
SILENCES = 4
LAGGING = 5  # 1 while it brings messages later than the other line by more than LAG_NS
LAGS = 6
LINE_WORDS = 8
LINES = 2

SILENT_AFTER_NS = 300_000_000
"""Three heartbeats."""
LAG_NS = 5_000_000
