"""Draw a whole schedule of faults from one integer: who sends what, when, and what the network does to it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

MS = 1_000_000
WALL_NS = 1_800_000_000_000_000_000
"""Wall clock at virtual time 0."""

FAULTS = (
    "loss", "bursts", "duplicates", "reorder", "jitter", "late", "dead_line", "mute", "truncated", "mutated",
    "lag", "sender_restart", "consumer_restart", "consumer_pause", "book_stall", "single_line",
)  # fmt: skip
"""What a schedule may be made of, each with a chance of its own."""


@dataclass(frozen=True)
class LinePlan:
    """What the network does to one line while faults last.

    Attributes
    ----------
    loss, duplicate, reorder, late, truncate, mutate : float
        Chances a datagram. ``reorder`` delays by up to 3 ms, ``late`` by 20 to 120 ms: past the time to heal.
    bad_after, good_after, loss_in_bad : float
        Gilbert-Elliott: chances to fall into the bad state and to leave it, a datagram; loss while in it.
    base_ns, jitter_ns : int
        Delay, and the mean of what comes on top.
    dead : tuple of (int, int)
        Virtual times between which the line carries nothing.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    late: float = 0.0
    truncate: float = 0.0
    mutate: float = 0.0
    bad_after: float = 0.0
    good_after: float = 1.0
    loss_in_bad: float = 1.0
    base_ns: int = 50_000
    jitter_ns: int = 0
    dead: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class LinkPlan:
    """What the recovery server and the way to it are like.

    Attributes
    ----------
    latency_ns : int
        Mean of what an answer takes.
    dead : bool
        Nobody answers, ever.
    closes, wrong : float
        Chances an answer while faults last: the connection closes instead; it is not an answer to the request.
    history : int
        Messages a channel that the server remembers.
    """

    latency_ns: int = MS
    dead: bool = False
    closes: float = 0.0
    wrong: float = 0.0
    history: int = 10_000


@dataclass(frozen=True)
class SessionPlan:
    """One life of the sender: virtual times, its number (its wall clock then), and whether it says farewell."""

    start_ns: int
    end_ns: int
    number: int
    graceful: bool


@dataclass(frozen=True)
class Schedule:
    """Everything that follows from a seed; times are virtual nanoseconds.

    Attributes
    ----------
    channels : tuple of int
        Exchanges that speak.
    symbols : int
        Books a channel.
    events : int
        Events of venues over the whole time.
    mtu : int
        Bytes a datagram.
    pack : int
        Messages of a channel that may share a datagram.
    levels : int
        Levels a side of a venue's snapshot.
    refresh_ns, instruments_ns : int
        Rounds of the sender.
    faults_end_ns : int
        After it nothing goes wrong any more.
    joins_ns : tuple of int
        When a consumer starts from nothing; the first is the first.
    pauses : tuple of (int, int)
        The whole consumer stands still; what comes meanwhile waits in the kernel's buffer.
    stalls : tuple of (int, int)
        The book thread alone stands still.
    buffer : int
        Datagrams that the kernel keeps for a consumer that stands still.
    drain_every_ns : int
        Mean time between two turns of the book thread; 0: after each datagram.
    heal_timeout_ns : int
    link : LinkPlan, optional
        By which the consumer asks for what is missing; None: it doesn't.
    """

    seed: int
    faults: frozenset[str]
    channels: tuple[int, ...]
    symbols: int
    events: int
    mtu: int
    pack: int
    levels: int
    refresh_ns: int
    instruments_ns: int
    faults_end_ns: int
    sessions: tuple[SessionPlan, ...]
    lines: tuple[LinePlan, ...]
    joins_ns: tuple[int, ...] = (0,)
    pauses: tuple[tuple[int, int], ...] = ()
    stalls: tuple[tuple[int, int], ...] = ()
    buffer: int = 512
    drain_every_ns: int = 0
    heal_timeout_ns: int = 50 * MS
    link: LinkPlan | None = None
    symbol_names: tuple[str, ...] = field(default=("BTC-USDT", "ETH-USDT", "SOL-USDT"))

    def summary(self) -> str:
        """Return it in a line or so."""
        lives = ", ".join(
            f"{life.start_ns / MS:.0f}-{life.end_ns / MS:.0f} ms{'' if life.graceful else ' (killed)'}"
            for life in self.sessions
        )
        joins = ", ".join(f"{at / MS:.0f} ms" for at in self.joins_ns)
        return (
            f"{' '.join(sorted(self.faults)) or 'no faults'}; channels {self.channels}, {self.symbols} symbols, "
            f"{len(self.lines)} lines, mtu {self.mtu}; sessions {lives}; consumer starts at {joins}; "
            f"faults end at {self.faults_end_ns / MS:.0f} ms"
        )


SETTLE_NS = 500 * MS
"""After the faults: late datagrams (120 ms), silence before a smaller session (300), a heartbeat, the time to heal."""


def draw(seed: int) -> Schedule:
    """Return the schedule of a seed."""
    rng = random.Random(seed)
    faults = frozenset(name for name in FAULTS if rng.random() < rng.choice((0.15, 0.3, 0.5)))
    refresh = rng.choice((200, 300, 400)) * MS
    faults_end = rng.randint(500, 1100) * MS
    end = faults_end + SETTLE_NS + 2 * refresh
    sessions = _sessions(rng, faults, faults_end, end)
    lines = tuple(_line(rng, faults, faults_end) for _ in range(1 if "single_line" in faults else 2))
    if "mute" in faults:
        # Both lines at once: nothing is heard, heartbeats neither.
        silence = _interval(rng, faults_end, 20, 450)
        if len(sessions) > 1 and rng.random() < 0.5:
            # Over a restart: the first that is heard of the new session is then not its first heartbeat.
            begins = sessions[1].start_ns + 100 * MS + rng.randint(0, 90) * MS
            silence = sessions[0].end_ns - rng.randint(0, 60) * MS, min(begins, faults_end)
        lines = tuple(_with_dead(line, silence) for line in lines)
    joins = [0]
    if rng.random() < 0.3:
        joins[0] = rng.randint(50, 400) * MS
    if "consumer_restart" in faults:
        joins.append(rng.randint(joins[0] // MS + 50, faults_end // MS) * MS)
    return Schedule(
        seed=seed,
        faults=faults,
        channels=tuple(sorted(rng.sample(range(5), rng.randint(1, 3)))),
        symbols=rng.randint(1, 3),
        events=rng.randint(480, 560),
        mtu=rng.choice((200, 260, 420, 700, 1472, 4000)),
        pack=rng.choice((1, 1, 3, 10)),
        levels=rng.choice((4, 8, 15, 25, 60)),
        refresh_ns=refresh,
        instruments_ns=rng.choice((250, 500, 1000)) * MS,
        faults_end_ns=faults_end,
        sessions=sessions,
        lines=lines,
        joins_ns=tuple(joins),
        pauses=(_interval(rng, faults_end, 20, 350),) if "consumer_pause" in faults else (),
        stalls=tuple(_interval(rng, faults_end, 5, 300) for _ in range(2)) if "book_stall" in faults else (),
        buffer=rng.choice((16, 64, 512)),
        drain_every_ns=rng.choice((0, 0, 200_000, 2 * MS, 5 * MS)),
        heal_timeout_ns=rng.choice((10, 50, 50)) * MS,
        link=_link(rng) if rng.random() < 0.65 else None,
    )


def _link(rng: random.Random) -> LinkPlan:
    return LinkPlan(
        latency_ns=rng.choice((200_000, MS, 2 * MS, 20 * MS, 150 * MS)),
        dead=rng.random() < 0.08,
        closes=rng.choice((0.0, 0.0, 0.1, 0.4)),
        wrong=rng.choice((0.0, 0.0, 0.1, 0.4)),
        history=rng.choice((5, 40, 10_000, 10_000)),
    )


def _interval(rng: random.Random, end_ns: int, shortest_ms: int, longest_ms: int) -> tuple[int, int]:
    length = rng.randint(shortest_ms, longest_ms) * MS
    start = rng.randint(0, max(1, end_ns - length))
    return start, min(start + length, end_ns)


def _sessions(rng: random.Random, faults: frozenset[str], faults_end: int, end: int) -> tuple[SessionPlan, ...]:
    if "sender_restart" not in faults:
        return (SessionPlan(0, end, WALL_NS, True),)
    stop = rng.randint(200 * MS, faults_end - 100 * MS)
    begin = stop + rng.choice((1, 30, 150, 400)) * MS
    begin = min(begin, faults_end)
    stepped = rng.random() < 0.35
    # A clock that was set back: the new session has the smaller number, and its messages are older by the wall clock.
    number = WALL_NS + begin - (rng.randint(2, 3600) * 1_000_000_000 if stepped else 0)
    return (SessionPlan(0, stop, WALL_NS, rng.random() < 0.5), SessionPlan(begin, end, number, True))


def _line(rng: random.Random, faults: frozenset[str], faults_end: int) -> LinePlan:
    def chance(name: str, *values: float) -> float:
        return rng.choice(values) if name in faults else 0.0

    bursts = "bursts" in faults
    return LinePlan(
        loss=chance("loss", 0.0, 0.01, 0.05, 0.2, 0.5),
        duplicate=chance("duplicates", 0.02, 0.2, 0.5),
        reorder=chance("reorder", 0.02, 0.1, 0.3),
        late=chance("late", 0.005, 0.02),
        truncate=chance("truncated", 0.01, 0.05),
        mutate=chance("mutated", 0.01, 0.05),
        bad_after=rng.choice((0.002, 0.01, 0.03)) if bursts else 0.0,
        good_after=rng.choice((0.02, 0.1, 0.3)) if bursts else 1.0,
        loss_in_bad=rng.choice((0.6, 1.0)),
        base_ns=rng.choice((20_000, 50_000, 200_000)) + (rng.choice((0, 1, 6)) * MS if "lag" in faults else 0),
        jitter_ns=rng.choice((10_000, 100_000, 600_000)) if "jitter" in faults else 0,
        dead=(_interval(rng, faults_end, 20, 600),) if "dead_line" in faults and rng.random() < 0.7 else (),
    )


def _with_dead(line: LinePlan, silence: tuple[int, int]) -> LinePlan:
    values = {name: getattr(line, name) for name in line.__dataclass_fields__}
    return LinePlan(**(values | {"dead": (*line.dead, silence)}))
