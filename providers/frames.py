"""Amazon's event stream: bytes → frames, whatever the split.

    u32 length of all | u32 length of headers | u32 CRC of these two | headers | payload | u32 CRC of all before
    header: u8 length, name | u8 type | value, for a text: u16 length, text

Numbers are big-endian, checksums CRC-32 (https://smithy.io/2.0/aws/amazon-eventstream.html).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from zlib import crc32

from providers.errors import MalformedResponse, ResponseTooLarge

FRAME_LIMIT = 4 << 20
"""Bytes of one frame; as many as an event of the other kind of stream may have."""

_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_SMALLEST = _PRELUDE.size + _CHECKSUM.size
_LENGTH = struct.Struct(">H")
_TEXT = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a value by its type, where all have the same: true, false, the numbers, time, UUID."""
_OF_ANY_SIZE = (6, _TEXT)


class Frame(NamedTuple):
    """One frame: its headers that are texts, and its payload."""

    headers: Mapping[str, str]
    payload: bytes


class FrameDecoder:
    """Takes bytes, gives frames. Time and memory are linear in what is fed, within the limit."""

    def __init__(self, *, limit: int = FRAME_LIMIT) -> None:
        self._limit = limit
        self._unread = bytearray()

    @property
    def within(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._unread)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Give the frames that these bytes complete, one by one: exhaust it before the next feed.

        Raises `MalformedResponse` where a checksum or a length is wrong, and `ResponseTooLarge`.
        """
        self._unread += data
        start = 0
        try:
            while (end := start + self._length(start)) <= len(self._unread):
                frame = bytes(self._unread[start:end])
                start = end
                yield _frame(frame)
        finally:
            del self._unread[:start]

    def _length(self, start: int) -> int:
        """Give the length of the frame at a place; of one whose beginning is not there yet, the least it can have."""
        if len(self._unread) - start < _PRELUDE.size:
            return _SMALLEST
        length, headers, checksum = _PRELUDE.unpack_from(self._unread, start)
        if crc32(self._unread[start : start + 8]) != checksum:
            raise MalformedResponse("a frame of the stream has a wrong checksum")
        if length < _SMALLEST + headers:
            raise MalformedResponse("a frame of the stream is shorter than its headers")
        if length > self._limit:
            raise ResponseTooLarge(f"a frame is larger than {self._limit} bytes")
        return int(length)


def _frame(data: bytes) -> Frame:
    if crc32(data[:-4]) != _CHECKSUM.unpack_from(data, len(data) - 4)[0]:
        raise MalformedResponse("a frame of the stream has a wrong checksum")
    end = _PRELUDE.size + _PRELUDE.unpack_from(data)[1]
    try:
        headers = dict(_headers(data[_PRELUDE.size : end]))
    except (struct.error, IndexError, KeyError, UnicodeDecodeError):
        raise MalformedResponse("a frame of the stream has headers that cannot be read") from None
    return Frame(headers, data[end:-4])


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        name_end = at + 1 + data[at]
        name, kind = data[at + 1 : name_end].decode(), data[name_end]
        at = name_end + 1
        size = _SIZES.get(kind, 0)
        if kind in _OF_ANY_SIZE:
            (size,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size
        elif kind not in _SIZES:
            raise KeyError(kind)
        if at + size > len(data):
            raise IndexError(size)
        if kind == _TEXT:
            yield name, data[at : at + size].decode()
        at += size
