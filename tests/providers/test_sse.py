"""The event-stream decoder against a slow one written from the standard's text, and its limits."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.errors import ResponseTooLarge
from providers.sse import Event, SseDecoder

PIECES = st.sampled_from(
    [b"data", b"event", b"id", b"retry", b":", b" ", b"  ", b"\n", b"\n\n", b"\r", b"\r\n", b"\r\n\r\n", b"x", b"{}",
     b"data: a", b"data:b\n", b"event: e\n", b": ping\n\n", b"\xef\xbb\xbf", "é€".encode(), b"\x00", b"\xff"]
)  # fmt: skip
STREAMS = st.lists(PIECES, max_size=30).map(b"".join)


def reference(stream: bytes) -> list[Event]:
    """Interpret a stream byte by byte, as the WHATWG standard words it."""
    if stream[:3] == b"\xef\xbb\xbf":
        stream = stream[3:]
    lines, line, at = [], b"", 0
    while at < len(stream):
        byte = stream[at : at + 1]
        at += 1
        if byte == b"\r":
            # "a U+000D CARRIAGE RETURN U+000A LINE FEED character pair"
            if stream[at : at + 1] == b"\n":
                at += 1
            lines.append(line)
            line = b""
        elif byte == b"\n":
            lines.append(line)
            line = b""
        else:
            line += byte
    events = []
    data_buffer, type_buffer = b"", b""
    for text in lines:
        if text == b"":
            if data_buffer != b"":
                # "If the data buffer's last character is a LINE FEED, then remove the last character"
                events.append(Event(data_buffer[:-1], type_buffer))
            data_buffer, type_buffer = b"", b""
        elif text[:1] == b":":
            continue
        else:
            field, value = text, b""
            if b":" in text:
                colon = text.index(b":")
                field, value = text[:colon], text[colon + 1 :]
                if value[:1] == b" ":
                    value = value[1:]
            if field == b"event":
                type_buffer = value
            elif field == b"data":
                data_buffer += value + b"\n"
    return events


def feed_all(decoder: SseDecoder, pieces: list[bytes]) -> list[Event]:
    return [event for piece in pieces for event in decoder.feed(piece)]


def feed_plain(decoder: SseDecoder, pieces: list[bytes]) -> list[Event]:
    """Feed what is not plain."""
    events: list[Event] = []
    for piece in pieces:
        plain = decoder.plain(piece)
        events += decoder.feed(piece) if plain is None else map(Event, plain)
    return events


def decode(pieces: list[bytes], **limits: int) -> list[Event]:
    return feed_all(SseDecoder(**limits), pieces)


@given(stream=STREAMS, cuts=st.lists(st.integers(0, 200), max_size=8))
@example(stream=b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", cuts=[8, 9, 10, 11, 20])
@example(stream=b"\xef\xbb\xbfdata: a\n\n", cuts=[1, 2])
@example(stream=b"data\n\ndata\ndata\n\ndata:", cuts=[])
def test_gives_what_the_standard_says_however_it_is_split(stream: bytes, cuts: list[int]):
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    assert decode(pieces) == reference(stream)
    assert feed_plain(SseDecoder(), pieces) == reference(stream)


@given(stream=STREAMS)
def test_single_bytes_and_empty_pieces_change_nothing(stream: bytes):
    pieces = [piece for at in range(len(stream)) for piece in (b"", stream[at : at + 1])]
    assert decode(pieces) == reference(stream)


def test_events_of_one_line_each_are_taken_at_once():
    decoder = SseDecoder()
    assert decoder.plain(b"data: a\n\ndata: b\n\ndata: c") == [b"a", b"b"]
    assert decoder.plain(b"c\n\n") == [b"cc"]
    for other in (
        b": x\n\n",
        b"event: x\ndata: a\n\n",
        b"data: a\ndata: b\n\n",
        b"data: a\r\n\r\n",
        b"data: a\n",
    ):
        assert SseDecoder().plain(other) is None
        assert SseDecoder().plain(b"data: a\n\n" + other) is None
    assert decoder.plain(b"data: a\n\nd") == [b"a"]
    assert decoder.plain(b"ata: ") is None, "joining what waits at each feed is quadratic"
    assert [*decoder.feed(b"ata: b\n\n")] == [Event(b"b")]


@pytest.mark.parametrize("step", [1, 7, 64, 1_000])
def test_a_line_beyond_its_limit_is_refused_however_it_is_split(step: int):
    stream = b"data: ok\n\n" + b"data: " + b"x" * 94 + b"\n\n"
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
    assert decode(pieces, line_limit=100)[-1].data == b"x" * 94
    longer = stream.replace(b"xx", b"xxx", 1)
    pieces = [longer[at : at + step] for at in range(0, len(longer), step)]
    with pytest.raises(ResponseTooLarge, match="100 bytes"):
        decode(pieces, line_limit=100)


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory():
    decoder = SseDecoder()
    tracemalloc.start()
    with pytest.raises(ResponseTooLarge):
        feed_all(decoder, [b"x" * 1_024] * 100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_an_event_beyond_its_limit_is_refused():
    decoder = SseDecoder(event_limit=1_000)
    with pytest.raises(ResponseTooLarge, match="1000 bytes"):
        feed_all(decoder, [b"data: xxxx\n"] * 1_000)


def test_events_before_one_that_is_too_large_are_given():
    decoder = SseDecoder(line_limit=50)
    events = decoder.feed(b"data: one\n\ndata: two\n\ndata: " + b"x" * 60 + b"\n\n")
    assert [next(events).data, next(events).data] == [b"one", b"two"]
    with pytest.raises(ResponseTooLarge):
        next(events)


def test_the_limit_is_for_one_event_not_for_the_stream():
    assert len(decode([b"data: 0123456789\n\n" * 1_000], event_limit=20)) == 1_000


def seconds_for(count: int) -> float:
    decoder = SseDecoder(line_limit=1 << 30, event_limit=1 << 30)
    started = perf_counter()
    for _ in range(count):
        list(decoder.feed(b"x" * 16))
    return perf_counter() - started


def test_time_is_linear_in_what_is_fed():
    # Four times the bytes in tiny pieces of one line: quadratic work would take sixteen times as long.
    seconds_for(1_000)
    small = min(seconds_for(20_000) for _ in range(3))
    large = min(seconds_for(80_000) for _ in range(3))
    assert large < small * 10
