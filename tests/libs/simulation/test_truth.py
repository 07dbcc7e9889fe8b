"""The sender's books: what the simulator believes must be right itself."""

from __future__ import annotations

from libs.sending.outbox import new_outbox
from libs.simulation.schedule import draw
from libs.simulation.sender import Sent, Session, play
from libs.simulation.truth import Book, Truth
from libs.wire.messages import OrderBook, decode_datagram, encode


def _part(
    book: Book, sequence: int, flags: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]], cut: int = 0
) -> None:
    data = encode(OrderBook(sequence, 1, 0, "X-Y", flags, -2, -3, cut, 0, 1, tuple(bids), tuple(asks)))
    book.part(sequence, data, 24 + 3)


def test_states_are_kept_by_sequence() -> None:
    """A book is as of each sequence what snapshots and deltas up to it made of it."""
    book = Book()
    assert not book.at(9).valid
    _part(book, 2, 3, [(99, 5), (98, 6)], [(101, 7)], cut=1)
    _part(book, 5, 2, [(99, 0), (97, 1)], [(101, 8)])
    assert book.at(4).sides == ({99: 5, 98: 6}, {101: 7}) and book.at(1).sides == ({}, {})
    assert book.at(5).sides == ({98: 6, 97: 1}, {101: 8})
    assert book.at(7).ends == (98, None) and book.at(7).valid
    assert book.at(5).top(0) == (98, 6) and book.at(5).knows_top(0)


def test_an_event_counts_when_it_is_whole() -> None:
    """Parts change nothing before the last of them, and no snapshot is possible amidst them."""
    book = Book()
    _part(book, 1, 1, [(99, 5)], [])
    assert not book.at(1).valid
    _part(book, 3, 2, [], [(101, 7)])
    assert book.at(3).sides == ({99: 5}, {101: 7})
    assert [book.between_events(k) for k in range(5)] == [0, 0, 0, 3, 4]


def test_a_refresh_changes_no_level_and_a_status_takes_the_word_back() -> None:
    """The sender's own copy is no event; after Status 2 only a venue's snapshot makes a book valid."""
    book = Book()
    _part(book, 1, 3, [(99, 5)], [(101, 7)])
    _part(book, 2, 11, [(1, 1)], [])
    assert book.at(2).sides == ({99: 5}, {101: 7})
    book.status(3, 2)
    assert book.at(2).valid and not book.at(3).valid
    _part(book, 4, 2, [(99, 6)], [])
    assert not book.at(4).valid
    _part(book, 5, 3, [(50, 5)], [])
    assert book.at(5).valid and book.at(5).sides == ({50: 5}, {})


def test_truth_reads_what_the_composer_wrote() -> None:
    """Every REFRESH of the real composer is, within its known end, the book that the plain one has come to."""
    plan = draw(11)
    sessions: list[Session] = play(plan, new_outbox(1))
    truth, compared = Truth(sessions), 0
    number = sessions[0].life.number
    for sent in sessions[0].messages:
        compared += _compare(truth, number, sent)
    assert compared > 5
    assert truth.last[number, plan.channels[0]] == sessions[0].next[plan.channels[0]] - 1


def _compare(truth: Truth, number: int, sent: Sent) -> int:
    message = decode_datagram(sent.data)[0][0]
    if not isinstance(message, OrderBook) or message.flags & 11 != 11:
        return 0
    state = truth.books[number, sent.channel, message.symbol].at(sent.sequence)
    for side, levels in enumerate((message.bids, message.asks)):
        wanted = state.sides[side]
        if message.cut >> side & 1:
            if not levels:
                continue
            sign, end = 1 - 2 * side, levels[-1][0]
            wanted = {price: size for price, size in wanted.items() if sign * price >= sign * end}
        assert dict(levels) == wanted
    return 1
