"""One schedule of the order path: streams over a Redis that fails, an order service that dies at any write."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from libs.execution.settings import Orders
from libs.market.exchanges import EXCHANGES
from libs.orders.decimals import EXACT
from libs.orders.journal import JournalError
from libs.risk.limits import Limits
from libs.simulation.disk import AFTER, BEFORE, TORN, CrashError, Disk
from libs.simulation.order_checks import OrderChecks, TradeChecks
from libs.simulation.order_service import OrderService
from libs.simulation.outcome import Outcome
from libs.simulation.schedule import MS, WALL_NS
from libs.simulation.shown import FORBIDDEN, SYMBOLS, ShownBook, ShownMarket
from libs.simulation.virtual_redis import VirtualRedis
from libs.streams.connection import Surroundings
from libs.streams.reader import PackedReader

STEPS = 120
STEP_NS = 10 * MS
"""Mean time between two steps."""
SETTLE_STEPS = 40
SETTLE_NS = 180 * MS
"""After the faults so many steps so far apart: the longest wait of a connection, and more."""
DOWN_NS = 400 * MS
FAULTS = (
    "redis_down", "broken_pipes", "refusals", "redis_emptied", "crash_at_write", "crash_between", "disk_full",
    "repeated_signals", "doubt", "consumer_restart", "kill_switch",
)  # fmt: skip


@dataclass(frozen=True)
class OrderPlan:
    """What follows from a seed: faults, and how orders are made."""

    seed: int
    faults: frozenset[str]
    orders: Orders
    limits: Limits = field(default_factory=lambda: Limits(price_collar_bps=Decimal(300)))

    def summary(self) -> str:
        """Return it in a line."""
        return f"orders: {' '.join(sorted(self.faults)) or 'no faults'}; {self.orders.time_in_force}"


def draw_orders(seed: int) -> OrderPlan:
    """Return the plan of a seed."""
    rng = random.Random(seed * 8 + 5)
    faults = frozenset(name for name in FAULTS if rng.random() < rng.choice((0.15, 0.3, 0.5)))
    orders = Orders(capital_usd=Decimal(400), time_in_force=rng.choice(("ioc", "gtc", "gtd")), expire_after_ms=300)
    return OrderPlan(seed, faults, orders)


class OrderFailedError(Exception):
    """Ends a schedule at its first failure."""


class OrderWorld:
    """A schedule of the order path under way."""

    def __init__(self, plan: OrderPlan, trace: Callable[[str], None] | None = None) -> None:
        self.plan, self.trace = plan, trace
        self.rng = rng = random.Random(plan.seed * 8 + 4)
        self.now = 0
        self.outcome = Outcome(plan.seed)
        self.redis = VirtualRedis(lambda: (WALL_NS + self.now) // MS, rng)
        self.world = Surroundings(self.redis.connect, self.redis.run, lambda: self.now / 1e9, lambda seconds: None, rng)
        books = [ShownBook(0, SYMBOLS[0]), ShownBook(3, SYMBOLS[0]), ShownBook(3, SYMBOLS[1])]
        self.market = ShownMarket(self.world, rng, books)
        self.market.start(0)
        self.checks = OrderChecks(self.market, self._fail)
        self.disk = Disk(self.checks.written)
        self.trades = TradeChecks(self._fail)
        self.reader = PackedReader("virtual", "", ["trades"], start="0", block_ms=0, world=self.world)
        self.service: OrderService | None = None
        self.signals: list[dict[str, str]] = []
        self.redis_until = self.restart_at = 0
        self.waiting_signals: list[tuple[str, dict[str, str]]] = []

    def _say(self, what: str) -> None:
        if self.trace:
            self.trace(f"{self.now / MS:10.3f}  orders: {what}")

    def _fail(self, what: str) -> None:
        self.outcome.failures.append(f"at {self.now / MS:.3f} ms: {what}")
        self._say(f"FAILED {what}")
        raise OrderFailedError

    def run(self) -> Outcome:
        """Play the schedule; a failure ends it."""
        with localcontext(EXACT), suppress(OrderFailedError):
            for _ in range(STEPS):
                self.now += 1 + int(self.rng.expovariate(1 / STEP_NS))
                self._step()
            self._settle()
        return self.outcome

    def _has(self, fault: str, chance: float) -> bool:
        return fault in self.plan.faults and self.rng.random() < chance

    def _step(self) -> None:
        """Something happens to the market, the signals, Redis, the order service; then everybody takes a turn."""
        self._faults()
        rng, market = self.rng, self.market
        for _ in range(rng.randint(0, 3)):
            market.change(self.now, 0.1 if "doubt" in self.plan.faults else 0.0)
        if rng.random() < 0.7:
            market.publish(self.now)
        if rng.random() < 0.25:
            market.now = self.now
            self.signals.append(market.signal(rng.randrange(len(market.books)), rng.choice(("buy", "sell"))))
            self._signal(self.signals[-1])
        if self.signals and self._has("repeated_signals", 0.1):
            self._signal(rng.choice(self.signals[-5:]))
        self._serve()
        if rng.random() < 0.5:
            self._look()

    def _signal(self, fields: dict[str, str]) -> None:
        self._say(f"signal {fields['action']} {fields['exchange']} {fields['symbol']} {fields['sequence']}")
        self.waiting_signals.append(("signals", fields))
        with suppress(Exception):
            pipe = self.redis.connect("").pipeline(transaction=False)
            for stream, each in self.waiting_signals:
                pipe.xadd(stream, each, maxlen=1000)
            pipe.execute()
            self.waiting_signals.clear()

    def _faults(self) -> None:
        rng, redis, disk = self.rng, self.redis, self.disk
        if not redis.up and self.now >= self.redis_until:
            redis.up = True
            self._say("Redis is back")
        elif redis.up and self._has("redis_down", 0.02):
            redis.stop()
            self.redis_until = self.now + rng.randint(0, DOWN_NS)
            if "redis_emptied" in self.plan.faults and rng.random() < 0.5:
                redis.lose_everything()
            self._say(f"Redis is away{'' if redis.streams else ', and what it held is lost'}")
        redis.broken_pipes = 0.05 if "broken_pipes" in self.plan.faults else 0.0
        redis.refusals = 0.05 if "refusals" in self.plan.faults else 0.0
        if self._has("crash_at_write", 0.05):
            disk.dies_in, disk.cut = rng.randint(1, 6), rng.choice((BEFORE, TORN, AFTER))
        if self._has("disk_full", 0.02):
            disk.full_for = rng.randint(1, 4)
        if self._has("consumer_restart", 0.01):
            self._count_trades()
            self.market.start(self.now)
            self._say("the consumer starts anew")
        if self.service is not None and self._has("kill_switch", 0.01):
            self._switch(self.service)

    def _switch(self, service: OrderService) -> None:
        try:
            if service.desk.switch.on:
                service.desk.reset()
            else:
                service.desk.kill("simulated", WALL_NS + self.now)
        except (CrashError, JournalError) as error:
            self._died(error)
        self.checks.killed = self.disk.kill is not None
        self._say(f"kill switch {'on' if self.checks.killed else 'off'}")

    def _serve(self) -> None:
        """Start the order service, let it take a turn, or let it die."""
        self.checks.now = self.now
        try:
            if self.service is None:
                if self.now < self.restart_at:
                    return
                self.checks.restarted()
                service = OrderService(self.plan, self.disk, self.world, self.checks, self.rng)
                service.recover(self.now)
                self.service = service
                self._say(f"order service starts, {len(service.desk.ledger.open)} open orders")
                if service.desk.different:
                    self._fail(f"after a restart: {service.desk.different[0]}")
            elif self._has("crash_between", 0.02):
                raise CrashError
            else:
                self.service.turn(self.now)
        except (CrashError, JournalError) as error:
            self._died(error)

    def _died(self, error: Exception) -> None:
        self.service = None
        self.restart_at = self.now + self.rng.randint(0, self.rng.choice((20 * MS, DOWN_NS)))
        self._say(f"order service dies ({type(error).__name__} {error})")

    def _look(self) -> None:
        """Read the trades as somebody else would."""
        self.trades.read(self.reader.read(), self.reader.breaks)

    def _count_trades(self) -> None:
        if self.market.uncounted:
            self._fail(f"trades stream: {self.market.uncounted} records neither written, nor waiting, nor counted")

    def _settle(self) -> None:
        """Faults are over: everything becomes right, and the accounts agree."""
        redis, disk = self.redis, self.disk
        redis.up, redis.broken_pipes, redis.refusals = True, 0.0, 0.0
        disk.dies_in, disk.full_for = 0, 0
        before = self.plan
        self.plan = OrderPlan(before.seed, frozenset(), before.orders, before.limits)
        for step in range(SETTLE_STEPS):
            self.now += SETTLE_NS
            self.market.heal(self.now)
            self.market.publish(self.now)
            self._serve()
            self._look()
            if step == SETTLE_STEPS - 5:
                self._one_more()
        service = self.service
        assert service is not None
        self._count_trades()
        for difference in service.desk.reconcile():
            self._fail(f"at the end: {difference}")
        ours = {key: quantity for key, quantity in self.checks.positions.items() if quantity}
        if ours != service.holdings():
            self._fail(f"at the end: positions {service.holdings()}, the fills make {ours}")
        group = redis.stream("signals").groups["oms"]
        if group.pending or group.last != redis.stream("signals").last:
            self._fail(f"at the end: {len(group.pending)} signals read and never acted on")
        self.outcome.messages = len(self.signals)

    def _one_more(self) -> None:
        """A good signal on a good book becomes an order, unless the kill switch is on."""
        service = self.service
        if service is None:
            self._fail("the order service does not come back")
            return
        b = self.rng.randrange(len(self.market.books))
        book = self.market.books[b]
        for name in list(service.desk.ledger.open):
            service.desk.cancel(name, WALL_NS + self.now, "the last one is to stand alone")
        before = len(self.checks.orders)
        denied = dict(service.desk.denied)
        self._signal(self.market.signal(b, "buy"))
        for act in (service.read_status, service.read_market, service.read_signals):
            act(self.now)
        expected = 0 if self.checks.killed else 1
        if len(self.checks.orders) - before != expected or book.flags & FORBIDDEN:
            why = {code: n - denied.get(code, 0) for code, n in service.desk.denied.items() if n != denied.get(code, 0)}
            self.outcome.unhealed += 1
            where = f"{EXCHANGES[book.exchange]} {book.symbol}"
            self._fail(f"at the end: a good signal on {where} became {len(self.checks.orders) - before} orders {why}")


def run_orders(seed: int, trace: Callable[[str], None] | None = None) -> Outcome:
    """Run the schedule of a seed through the order path's cores.

    Parameters
    ----------
    seed : int
    trace : callable, optional
        Told every step, a line each.
    """
    return OrderWorld(draw_orders(seed), trace).run()
