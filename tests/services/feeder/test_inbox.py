"""The queue between sockets and cores."""

from __future__ import annotations

import asyncio

from services.feeder.inbox import CLOSED, MESSAGE, Inbox, Item


def message(data: bytes) -> Item:
    """Return a message of a connection that does not matter here."""
    return Item(MESSAGE, None, 0, data)


def test_a_reader_waits_for_room_and_nothing_is_lost() -> None:
    """Full by count or by bytes, in order, and every wait is counted."""

    async def run(inbox: Inbox, size: int) -> None:
        async def read() -> None:
            for k in range(50):
                await inbox.put(message(bytes([k]) * size))

        reader = asyncio.create_task(read())
        taken: list[int] = []
        while len(taken) < 50:
            assert await inbox.wait(1.0)
            assert len(inbox) <= 4
            item = inbox.take()
            assert item is not None
            taken.append(item.data[0])
            await asyncio.sleep(0)
        await reader
        assert taken == list(range(50))
        assert inbox.waits > 0
        assert (inbox.high_water, inbox.bytes, inbox.take()) == (4, 0, None)

    asyncio.run(run(Inbox(4, 1 << 20), 1))
    asyncio.run(run(Inbox(1000, 40), 10))


def test_what_cannot_wait_is_let_in() -> None:
    """A connection's end stands behind its messages, however full it is."""
    inbox = Inbox(1, 1)
    inbox.put_now(message(b"abc"))
    inbox.put_now(Item(CLOSED, None, 1))
    assert inbox.full
    kinds = [item.kind for item in iter(inbox.take, None)]
    assert kinds == [MESSAGE, CLOSED]


def test_an_empty_inbox_waits_no_longer_than_told() -> None:
    """False after the time, True at once when something is there."""

    async def run() -> None:
        inbox = Inbox()
        assert not await inbox.wait(0.01)
        inbox.put_now(message(b""))
        assert await inbox.wait(0.0)

    asyncio.run(run())
