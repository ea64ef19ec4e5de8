"""Files as data URLs in JSON, unread."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from providers.types import Content, InBase64, Upload

Pieces = tuple[bytes | Content | InBase64, ...]


def quoted(file: Upload) -> Pieces:
    """Give a file's data URL as a string of JSON."""
    return msgspec.json.encode(f"data:{file.media};base64,")[:-1], InBase64(file.content), b'"'


def beside(body: bytes, opening: bytes, files: Sequence[Pieces], closing: bytes) -> Pieces:
    """Put these into an object of JSON, with commas between, as what stands between `opening` and `closing`."""
    first, *others = files
    more = (piece for file in others for piece in (b",", *file))
    return body[:-1] + b"," + opening, *first, *more, closing + b"}"
