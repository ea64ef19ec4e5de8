"""HTTP/1.1 as bytes: what answers mean, wherever the network cuts them, and which are none."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gateway.http1 import DRY_LIMIT, AnswerReader, render_head
from providers.errors import Disconnected, MalformedResponse, StreamTruncated, UpstreamError


class Read(NamedTuple):
    """What became of some bytes, and of the end of the connection after them."""

    status: int
    body: bytes = b""
    complete: bool = True
    reusable: bool = False
    error: type[UpstreamError] | None = None
    at_close: type[UpstreamError] | None = None


def read(pieces: list[bytes], *, bodiless: bool = False, clean: bool = True) -> Read:
    reader, body, error, at_close = AnswerReader(), b"", None, None
    reader.expect(bodiless=bodiless)
    try:
        for piece in pieces:
            reader.feed(piece)
            body += reader.take()
    except UpstreamError as raised:
        error = type(raised)
        body += reader.take()
    complete, reusable = reader.complete, reader.reusable
    if error is None:
        try:
            reader.close(clean=clean)
        except UpstreamError as raised:
            at_close = type(raised)
    return Read(reader.status, body, complete, reusable, error, at_close)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
MEANINGS: dict[bytes, Read] = {
    OK + b"content-length: 2\r\n\r\nhi": Read(200, b"hi", reusable=True),
    OK + b"content-length: 0\r\n\r\n": Read(200, reusable=True),
    CHUNKED + b"2\r\nhi\r\n3;a=b\r\n ho\r\n0\r\n\r\n": Read(200, b"hi ho", reusable=True),
    CHUNKED + b"2\r\nhi\r\n0\r\nx-sum: 1\r\nx-more: 7\r\n\r\n": Read(200, b"hi", reusable=True),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n"
    + OK
    + b"content-length: 2\r\n\r\nhi": Read(200, b"hi", reusable=True),
    b"HTTP/1.1 204 No Content\r\n\r\n": Read(204, reusable=True),
    b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n": Read(304, reusable=True),
    OK + b"content-length: 2\r\nconnection: close\r\n\r\nhi": Read(200, b"hi"),
    b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi": Read(200, b"hi"),
    # Without a length the end of the connection is the end of the body.
    OK + b"\r\nuntil the end": Read(200, b"until the end", complete=False),
    # What nobody has asked for spoils the connection, not the answer.
    OK + b"content-length: 2\r\n\r\nhi" + OK: Read(200, b"hi"),
    OK + b"content-length: 2\r\n\r\nhi!!": Read(200, b"hi"),
    OK + b"content-length: 2\r\nconnection: close\r\n\r\nhi!!": Read(200, b"hi"),
    # Cut off.
    b"": Read(0, complete=False, at_close=Disconnected),
    OK + b"content-le": Read(0, complete=False, at_close=Disconnected),
    b"HTTP/1.1 100 Continue\r\n\r\n": Read(0, complete=False, at_close=Disconnected),
    OK + b"content-length: 3\r\n\r\nhi": Read(200, b"hi", complete=False, at_close=StreamTruncated),
    CHUNKED + b"2\r\nhi\r\n": Read(200, b"hi", complete=False, at_close=StreamTruncated),
    CHUNKED + b"2\r\nhi\r\n0\r\nx: ": Read(200, b"hi", complete=False, at_close=StreamTruncated),
    # Not HTTP, or so that two could read it in two ways.
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n": Read(0, complete=False, error=MalformedResponse),
    b"HTTP/1.1 099 No\r\n\r\n": Read(0, complete=False, error=MalformedResponse),
    b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n": Read(
        0, complete=False, error=MalformedResponse
    ),
    OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nhi": Read(
        0, complete=False, error=MalformedResponse
    ),
    OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n": Read(
        0, complete=False, error=MalformedResponse
    ),
    OK + b"content-length: -2\r\n\r\n": Read(0, complete=False, error=MalformedResponse),
    OK + b"transfer-encoding: gzip, chunked\r\n\r\n": Read(0, complete=False, error=MalformedResponse),
    OK + b"transfer-encoding: identity\r\n\r\n": Read(0, complete=False, error=MalformedResponse),
    OK + b"x: a\r\n folded\r\n\r\n": Read(0, complete=False, error=MalformedResponse),
    CHUNKED + b"2\r\nhi\r\nzz\r\n": Read(200, b"hi", complete=False, error=StreamTruncated),
    CHUNKED + b"2\r\nhi\r\n0\r\ncontent-length: 7\r\n\r\n": Read(
        200, b"hi", complete=False, error=StreamTruncated
    ),
    CHUNKED + b"fffffffffffffffff\r\n": Read(200, complete=False, error=StreamTruncated),
}


def test_answers_mean_the_same_wherever_they_are_cut():
    for wire, meaning in MEANINGS.items():
        cuts = [[wire[:at], wire[at:]] for at in range(len(wire) + 1)]
        for cut in [*cuts, [wire[at : at + 1] for at in range(len(wire))]]:
            pieces = [each for each in cut if each]
            assert read(pieces) == meaning, pieces


def test_a_reset_is_no_end_of_a_body():
    assert read([OK + b"\r\npart"], clean=False).at_close is StreamTruncated
    assert read([OK + b"content-length: 4\r\n\r\npart"], clean=False).at_close is None


def test_an_answer_to_head_has_no_body():
    assert read([OK + b"content-length: 2\r\n\r\n"], bodiless=True) == Read(200)


def test_one_answer_after_another():
    reader = AnswerReader()
    for number in range(3):
        reader.expect(bodiless=False)
        reader.feed(OK + b"content-length: 2\r\nx: %d\r\nx: b\r\n\r\nhi" % number)
        assert (reader.take(), reader.complete, reader.reusable) == (b"hi", True, True)
        assert reader.headers == {"content-length": "2", "x": f"{number}, b"}


def test_case_68_what_is_no_body_is_bounded():
    endless = {
        OK: b"x: 1\r\n",
        OK + b"x: ": b"a",
        b"HTTP/1.1 200 ": b"a",
        b"": b"HTTP/1.1 100 Continue\r\n\r\n",
        CHUNKED + b"0\r\nx: ": b"a",
        CHUNKED + b"1;": b"a",
    }
    for begin, more in endless.items():
        block = more * (4096 // len(more))
        got = read([begin, *[block] * (DRY_LIMIT // len(block) + 2)])
        assert got.error in (MalformedResponse, StreamTruncated), begin
    # A body of many small chunks is not.
    assert read([CHUNKED, *[b"1\r\nx\r\n"] * DRY_LIMIT]).error is None


@given(
    st.lists(
        st.sampled_from([*MEANINGS, b"\r\n", b"0\r\n\r\n", b"\0", b"5\r\n"]) | st.binary(max_size=20),
        max_size=4,
    )
)
def test_any_bytes_are_read_or_refused_alike_in_any_pieces(parts: list[bytes]):
    whole = b"".join(parts)
    assert read([whole]) == read([whole[at : at + 1] for at in range(len(whole))])


def test_a_head_as_it_is_sent():
    head = render_head("POST", "/v1/x?y=1", "a.test:81", [("accept", "*/*"), ("x", "ä")], 5)
    assert head == (
        b"POST /v1/x?y=1 HTTP/1.1\r\nhost: a.test:81\r\naccept: */*\r\nx: \xe4\r\ncontent-length: 5\r\n\r\n"
    )
    assert b"content-length: 0" in render_head("POST", "/", "a", [], 0)
    assert b"content-length" not in render_head("GET", "/", "a", [], 0)


def test_a_header_is_never_two():
    for name, value in [("x", "a\r\nb: c"), ("x", "a\nb: c"), ("x", "a\rb"), ("x\r\ny", "a"), ("x", "a\0")]:
        with pytest.raises(ValueError, match="which no header can"):
            render_head("POST", "/", "a", [(name, value)], 0)
