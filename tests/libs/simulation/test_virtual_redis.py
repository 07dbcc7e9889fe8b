"""The virtual Redis answers as the real one does, to the same commands."""

from __future__ import annotations

import random
from typing import Any

import pytest
import redis

from libs.simulation.virtual_redis import VirtualRedis

pytestmark = pytest.mark.integration


def talk(client: Any, prefix: str) -> list[Any]:
    """Say everything that libs/streams says; return the answers, ids replaced by their order."""
    key, answers = f"{prefix}s", []
    pipe = client.pipeline(transaction=False)
    pipe.hset(f"{prefix}h", mapping={"a": 1})
    for n in range(5):
        pipe.xadd(key, {"n": n}, maxlen=1000, approximate=True)
    ids = pipe.execute(raise_on_error=False)[1:]
    answers.append(client.hgetall(f"{prefix}h"))
    answers.append(client.xread({key: "0-0"}, count=2, block=None))
    answers.append(client.xread({key: ids[3].decode()}, count=10, block=None))
    answers.append(client.xrevrange(key, count=1))
    answers.append(client.xgroup_create(key, "g", id="0", mkstream=True))
    with pytest.raises(redis.ResponseError, match="BUSYGROUP"):
        client.xgroup_create(key, "g", id="0", mkstream=True)
    with pytest.raises(redis.ResponseError, match="NOGROUP"):
        client.xreadgroup("other", "1", {key: ">"}, count=2, block=None)
    answers.append(client.xreadgroup("g", "1", {key: ">"}, count=3, block=None))
    answers.append(client.xack(key, "g", ids[0], ids[0]))
    answers.append(client.xreadgroup("g", "1", {key: "0"}, count=10))
    answers.append(client.xreadgroup("g", "2", {key: "0"}, count=10))
    answers.append(client.xreadgroup("g", "2", {key: ">"}, count=10, block=None))
    answers.append(client.xreadgroup("g", "2", {key: ">"}, count=10, block=1))
    answers.append(client.xautoclaim(key, "g", "2", 0, count=10)[1])
    answers.append(client.xreadgroup("g", "1", {key: "0"}, count=10))
    names = {identity: b"%d" % n for n, identity in enumerate(ids)}
    return [_plain(answer, names, key.encode()) for answer in answers]


def _plain(value: Any, names: dict[bytes, bytes], key: bytes) -> Any:
    if isinstance(value, dict):
        return {_plain(k, names, key): _plain(v, names, key) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, names, key) for each in value]
    return b"key" if value == key else names.get(value, value)


def test_it_answers_as_redis_does(redis_server: str) -> None:
    """The same conversation with both."""
    virtual = VirtualRedis(lambda: 1_700_000_000_000, random.Random(1)).connect("")
    with redis.Redis.from_url(redis_server) as real:
        assert talk(virtual, "v:") == talk(real, "virtual-redis:")


def test_it_fails_as_told() -> None:
    """Away, with everything lost, with a connection that breaks midway, out of memory."""
    server = VirtualRedis(lambda: 1, random.Random(3))
    client = server.connect("")
    server.stop()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    server.up = True
    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.disconnect()
    assert client.ping()
    server.broken_pipes = 1.0
    pipe = client.pipeline(transaction=False)
    for n in range(100):
        pipe.xadd("s", {"n": n}, maxlen=1000)
    with pytest.raises(redis.ConnectionError):
        pipe.execute()
    server.broken_pipes = 0.0
    written = len(server.stream("s").entries)
    assert 0 < written < 100
    server.refusals = 1.0
    answers = pipe.execute(raise_on_error=False)
    assert len(server.stream("s").entries) - written == sum(isinstance(answer, bytes) for answer in answers) < 100
    server.lose_everything()
    assert client.xread({"s": "0-0"}) == []
