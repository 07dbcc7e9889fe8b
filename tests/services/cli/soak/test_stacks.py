"""The stack of a load test: a note becomes endpoints, and a Redis on a unix socket is reached over TCP."""

from __future__ import annotations

import redis

from services.cli.soak.stacks import Relay, of_note


def test_a_relay_passes_everything_on(redis_server: str) -> None:
    """Pipelines and large values go through; two clients at once do not meet."""
    path = redis_server.removeprefix("unix://").partition("?")[0]
    with Relay(path) as relay, redis.Redis(port=relay.port) as one, redis.Redis(port=relay.port) as other:
        one.set("relay", b"x" * 1_000_000)
        assert other.get("relay") == b"x" * 1_000_000
        with other.pipeline() as pipe:
            for n in range(200):
                pipe.incrby("counted", n)
            assert pipe.execute()[-1] == 19_900
        one.delete("relay", "counted")


def test_a_note_becomes_a_stack(redis_server: str) -> None:
    """A unix socket gets a relay that ends with the stack; a TCP address stays as it is."""
    note = {"http": {"oms": ["127.0.0.1", 9293]}, "redis_url": redis_server, "stream_prefix": "p:"}
    stack = of_note(note)
    with stack.closing:
        assert str(stack.endpoints["oms"]) == "127.0.0.1:9293"
        assert stack.prefix == "p:"
        with redis.Redis.from_url(stack.redis_url) as client:
            assert client.ping()
    assert of_note(note | {"redis_url": "redis://127.0.0.1:1"}).redis_url == "redis://127.0.0.1:1"
