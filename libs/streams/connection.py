"""One synchronous connection to Redis that comes back by itself, with backoff, and says what is wrong."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import redis
from hiredis import pack_command

from libs.config import shown
from libs.errors import ConfigError

CONNECT_TIMEOUT_S = 0.25
TIMEOUT_S = 1.0
FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 2.0

TROUBLE = (redis.ConnectionError, redis.TimeoutError, OSError)
"""The connection is gone; a reply that is an error is redis.ResponseError."""


Command = tuple[str | bytes | int, ...]
_pack: Callable[[Command], bytes] = cast(Any, pack_command)  # its stub knows tuples of one word only


def run_together(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    """Send commands in one write and read their answers; see :meth:`Connection.run`.

    A pipeline of redis-py does the same on the same connection, but asks of each command what it may mean, and packs it
    argument by argument, which takes more than twice the CPU time.
    """
    pool = client.connection_pool
    connection = pool.get_connection()
    answers: list[Any] = []
    try:
        connection.send_packed_command([b"".join(map(_pack, commands))])
        for _ in commands:
            try:
                answers.append(connection.read_response())
            except redis.ResponseError as error:
                answers.append(error)
    except BaseException:
        # Answers that were not read must not be taken for those of the next commands.
        connection.disconnect()
        raise
    finally:
        pool.release(connection)
    return answers


@dataclass(frozen=True)
class Surroundings:
    """What a connection needs of the world; a simulation has another.

    Attributes
    ----------
    connect : callable
        Returns a client of redis-py, or what does as it does; given the address and its time-outs.
    run : callable
        As :func:`run_together`.
    monotonic_s : callable
    sleep : callable
        Seconds.
    rng : random.Random
    """

    connect: Callable[..., redis.Redis] = redis.Redis.from_url
    run: Callable[[redis.Redis, Sequence[Command]], list[Any]] = run_together
    monotonic_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    rng: random.Random = field(default_factory=random.Random)


REAL = Surroundings()


def check_url(file: str, key: str, url: str) -> str:
    """Return an address of Redis that can be used.

    Raises
    ------
    ConfigError
        Naming its scheme alone: an address may hold a password.
    """
    try:
        redis.Redis.from_url(url).close()
    except ValueError:
        scheme, colon, rest = url.partition(":")
        found = shown(f"{scheme}{colon}…" if "@" in rest else url)
        raise ConfigError(file, key, "redis://HOST:PORT/DB, rediss://… or unix://PATH", found) from None
    return url


class Connection:
    """A client, whether it is connected, and when to try again.

    Parameters
    ----------
    url : str
        ``redis://`` or ``unix://``.
    block_ms : int
        How long a blocking read may take beside the time-out.
    world : Surroundings

    Attributes
    ----------
    connected : bool
    last_error : str
        Redis's own text, or the system's.
    reconnects : int
    errors : dict
        Replies that were errors, by their first word.
    """

    def __init__(self, url: str, block_ms: int = 0, world: Surroundings = REAL) -> None:
        self.world = world
        self.client = world.connect(
            url,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=TIMEOUT_S + block_ms / 1000,
            retry=None,
            health_check_interval=0,
        )
        self.connected = False
        self.last_error = "not connected yet"
        self.reconnects = 0
        self.errors: dict[str, int] = {}
        self._was_connected = False
        self._wait_s = FIRST_WAIT_S
        self._next_try = 0.0

    def due(self) -> bool:
        """Return whether the connection is up or may be tried now."""
        return self.connected or self.world.monotonic_s() >= self._next_try

    def wait_s(self) -> float:
        """Return seconds until the next try."""
        return max(0.0, self._next_try - self.world.monotonic_s())

    def up(self) -> bool:
        """Note that Redis answered; return whether it was away before."""
        if self.connected:
            return False
        self.connected = True
        self.last_error = ""
        self._wait_s = FIRST_WAIT_S
        again = self._was_connected
        self.reconnects += int(again)
        self._was_connected = True
        return again

    def down(self, error: Exception) -> None:
        """Note trouble and put off the next try: doubled each time, with jitter."""
        self.connected = False
        self.last_error = str(error) or type(error).__name__
        word = self.last_error.split(" ", 1)[0] if isinstance(error, redis.ResponseError) else type(error).__name__
        self.errors[word] = self.errors.get(word, 0) + 1
        self._next_try = self.world.monotonic_s() + self._wait_s * self.world.rng.uniform(0.75, 1.25)
        self._wait_s = min(LONGEST_WAIT_S, 2 * self._wait_s)
        self.client.connection_pool.disconnect()

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands together and return their answers; one that is an error is returned as it is.

        Raises
        ------
        redis.ConnectionError, redis.TimeoutError, OSError
            Some of the commands may have been carried out.
        """
        return self.world.run(self.client, commands) if commands else []

    def close(self) -> None:
        """Close the socket."""
        self.client.close()
