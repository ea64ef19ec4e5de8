"""The form of a spool file: records in frames that survive a torn or damaged neighbour.

A frame is the payload's length and its CRC32, four bytes each, big-endian, then the payload: an
`Intent` or a `CallRecord` as JSON, told apart by its `event`. A length is never above `RECORD_LIMIT`, so a frame starts with a zero byte;
JSON has none, so nothing that a client sends can look like the start of a frame.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

import msgspec

from app.telemetry.record import CallRecord, Intent
from providers.types import Json

Entry = CallRecord | Intent
"""What a frame holds."""
RECORD_LIMIT = 256 * 1024
"""Bytes of a payload. A usual one has 700."""
FRAME_LIMIT = RECORD_LIMIT + 8

_HEADER = struct.Struct(">II")
_POSSIBLE_START = re.compile(rb"(?=\x00.{7}\{)", re.DOTALL)
_DECODER: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)
_TEXT_LIMIT = 256
_ITEM_LIMIT = 20


class Frame(NamedTuple):
    """A payload, and the byte offsets in the file between which its frame lies."""

    payload: bytes
    begin: int
    end: int


def encode_frame(entry: Entry) -> bytes:
    """Give the frame of an entry, cut to `RECORD_LIMIT` where it has to be. Total."""
    try:
        payload = msgspec.json.encode(entry)
    except (ValueError, OverflowError):
        # Half of a surrogate pair, or a number beyond 64 bits: JSON from outside may hold either.
        payload = b""
    if not payload or len(payload) > RECORD_LIMIT:
        payload = json.dumps(_cut(entry), ensure_ascii=False).encode()
    return _HEADER.pack(len(payload), crc32(payload)) + payload


def decode_entry(payload: bytes) -> Entry:
    """Read what a frame holds. Raises `msgspec.MsgspecError`, `UnicodeDecodeError`."""
    return _DECODER.decode(payload)


def scan_frames(block: bytes, offset: int) -> Iterator[Frame]:
    """Give the whole, undamaged frames of a block that was read at this offset of a file."""
    at = 0
    while (begin := _next_start(block, at)) is not None:
        at = begin + _HEADER.size + _HEADER.unpack_from(block, begin)[0]
        yield Frame(block[begin + _HEADER.size : at], offset + begin, offset + at)


def is_torn(tail: bytes) -> bool:
    """Whether a file's last bytes are nothing, or the begin of a frame whose process was killed in mid-write."""
    if len(tail) < _HEADER.size:
        return True
    length: int = _HEADER.unpack_from(tail)[0]
    return len(tail) - _HEADER.size < length <= RECORD_LIMIT


def _next_start(block: bytes, at: int) -> int | None:
    if _is_frame(block, at):
        return at
    candidates = (match.start() for match in _POSSIBLE_START.finditer(block, at))
    return next((start for start in candidates if _is_frame(block, start)), None)


def _is_frame(block: bytes, at: int) -> bool:
    begin = at + _HEADER.size
    if begin > len(block):
        return False
    length: int
    checksum: int
    length, checksum = _HEADER.unpack_from(block, at)
    # A length of zero is what a file has that grew before its data came: eight zero bytes would pass.
    fits = 0 < length <= RECORD_LIMIT and begin + length <= len(block)
    return fits and crc32(memoryview(block)[begin : begin + length]) == checksum


def _cut(value: Json) -> Json:
    if isinstance(value, str):
        return value[:_TEXT_LIMIT].encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_cut(key): _cut(item) for key, item in list(value.items())[:_ITEM_LIMIT]}
    if isinstance(value, list):
        return [_cut(item) for item in value[:_ITEM_LIMIT]]
    if isinstance(value, msgspec.Struct):
        kind = value.__struct_config__
        fields = {key: _cut(item) for key, item in msgspec.structs.asdict(value).items()}
        return {kind.tag_field: kind.tag, **fields} if kind.tag_field else fields
    return value
