"""Amazon's event stream, whole and broken."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import MalformedResponse, ResponseTooLarge
from providers.frames import Frame, FrameDecoder

RECORDED = (Path(__file__).parents[1] / "golden/bedrock/converse_stream_text.eventstream.bin").read_bytes()


def frame(headers: Mapping[str, bytes | str], payload: bytes) -> bytes:
    """Give a frame; a header in bytes is its type and value as they are on the wire."""
    parts = b""
    for name, value in headers.items():
        raw = (
            value
            if isinstance(value, bytes)
            else b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        )
        parts += bytes([len(name)]) + name.encode() + raw
    start = struct.pack(">II", 16 + len(parts) + len(payload), len(parts))
    start += struct.pack(">I", crc32(start))
    return start + parts + payload + struct.pack(">I", crc32(start + parts + payload))


def read(*pieces: bytes) -> list[Frame]:
    decoder = FrameDecoder()
    found = [each for piece in pieces for each in decoder.feed(piece)]
    assert not decoder.within
    return found


def test_recorded_frames_read_alike_wherever_they_are_split() -> None:
    whole = read(RECORDED)
    assert [each.headers[":event-type"] for each in whole] == [
        "messageStart",
        *["contentBlockDelta"] * 3,
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    for at in range(len(RECORDED) + 1):
        assert read(RECORDED[:at], RECORDED[at:]) == whole
    assert read(*(RECORDED[at : at + 1] for at in range(len(RECORDED)))) == whole


def test_headers_of_other_types_are_passed_over() -> None:
    others: dict[str, bytes | str] = {
        "true": b"\x00", "false": b"\x01", "byte": b"\x02a", "short": b"\x03ab", "int": b"\x04abcd",
        "long": b"\x05abcdefgh", "bytes": b"\x06\x00\x03abc", "time": b"\x08abcdefgh", "uuid": b"\x09" + b"u" * 16,
        "text": "käse",
    }  # fmt: skip
    assert read(frame(others, b"payload")) == [Frame({"text": "käse"}, b"payload")]
    assert read(frame({}, b"")) == [Frame({}, b"")]


def test_every_flipped_bit_is_noticed() -> None:
    data = frame({":event-type": "x"}, b"payload")
    for at in range(len(data) * 8):
        broken = bytearray(data)
        broken[at // 8] ^= 1 << at % 8
        with pytest.raises(MalformedResponse):
            read(bytes(broken))


def test_a_broken_frame_takes_nothing_from_those_before() -> None:
    decoder, found = FrameDecoder(), []
    with pytest.raises(MalformedResponse, match="checksum"):
        found.extend(each for each in decoder.feed(frame({"a": "b"}, b"1") + b"x" * 16))
    decoder = FrameDecoder()
    feed = decoder.feed(frame({"a": "b"}, b"1") + b"x" * 16)
    assert next(feed).payload == b"1"


def test_headers_that_lie_are_refused() -> None:
    for lie in (
        {"a": b"\x0a"},
        {"a": b"\x07\x00\x09b"},
        {"a": b"\x07\x00"},
        {"a": b"\x07\x00\x01\xff"},
        {"a": b""},
    ):
        with pytest.raises(MalformedResponse, match="headers"):
            read(frame(lie, b""))
    start = struct.pack(">II", 20, 5)
    with pytest.raises(MalformedResponse, match="shorter"):
        read(start + struct.pack(">I", crc32(start)))


def test_a_frame_beyond_the_limit_is_refused_at_its_beginning() -> None:
    decoder = FrameDecoder(limit=100)
    with pytest.raises(ResponseTooLarge):
        list(decoder.feed(frame({}, b"x" * 100)[:12]))
    assert [len(each.payload) for each in FrameDecoder(limit=100).feed(frame({}, b"x" * 84))] == [84]


@given(st.binary(max_size=60), st.integers(0, 60))
def test_any_bytes_are_frames_or_malformed(data: bytes, at: int) -> None:
    decoder = FrameDecoder()
    try:
        for piece in (data[:at], data[at:]):
            list(decoder.feed(piece))
    except (MalformedResponse, ResponseTooLarge):
        pass
