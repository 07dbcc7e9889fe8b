"""Names of the words that the book thread counts in and is configured by."""

from __future__ import annotations

from libs.engine.slots import REFUSALS

# Columns of ``ledger``, a row a channel.
APPLIED = 0
REFUSED = 1  # by reason of libs.engine.slots.REFUSALS: REFUSED + reason
PENDING_PARTS = 8
UPDATES = 9
TRADES = 10
EVENTS = 11
CHECKS = 12  # heartbeats at which the two equations were checked
CHECKS_FAILED = 13
HOLES_OPEN = 14  # given up, and some book still waits for its snapshot
HEALED_SNAPSHOT = 15
HEALED_FEED = 16
WATERMARK_US = 17  # feed time before which nothing more will come
SESSION = 18
HEARD_NS = 19  # monotonic
STALE = 20
LOST_NS = 21  # monotonic time of the oldest loss that is not healed
CROSSED_EVENTS = 22
DIVERGED = 23
GAP_BOOKS = 24  # books that wait for a snapshot since a loss
MESSAGES = 25
LAST_FEED_US = 26
LAST_SENT_US = 27
INSTRUMENT_CHANGES = 28
LOST_UPTO = 29  # the last sequence of the session that was given up
BUFFERED = 30  # deltas that wait for a requested snapshot
UNACCOUNTED = 31  # by how much the two equations were off at the last heartbeat
DOUBTED = 32  # 1 while the channel's books carry SUSPECT
FEED_BACK = 33  # messages whose feed time lay before that of an earlier one: taken as that
LAST_UPDATE_US = 34  # scheduled send of the last change or trade: a refresh repeats what is known
COLUMNS = 40
assert REFUSED + len(REFUSALS) <= PENDING_PARTS

# Words of ``totals``.
FEATURE_ROWS = 0
NBBO_ROWS = 1
ARBITRAGES_OPENED = 2
ARBITRAGES_REAL = 3
ARBITRAGES_CLOSED = 4
ROWS_CUT = 5  # features rows with a window that its history was too short for
WORST_NS = 8  # the longest time to a book since the main thread took this away, and which message it was
WORST_SEQUENCE = 9
WORST_BOOK = 10
WORST_WIRE_NS = 11  # of it, until the kernel had it
TOTALS = 16

# Words of ``process_settings``.
BATCH = 0
DEPTH_LEVELS = 1
LIQUIDITY_BPS = 2
STALE_CROSS_US = 3
UNCERTAINTY_US = 4
BUSY_POLL = 5
REQUESTS_ON = 6  # 1: snapshots are requested, and deltas wait for them
REQUEST_BELL = 7  # eventfd of who sends the requests; 0: none
STALE_AFTER_NS = 8  # by exchange
JOINED = 16  # 1: quote currencies are joined
FEATURE_INTERVAL_US = 17  # of feed time between two features rows of a book; 0: a row an event
DIGEST = 18  # 1: hash chains are made
DIGEST_TRACED = 19  # 1: and every link is traced
PROCESS_SETTINGS = 32

ROW_BOOK, ROW_FEATURES, ROW_HEAL = 0, 1, 2
