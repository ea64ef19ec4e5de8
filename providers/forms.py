"""A multipart form as the body of a request: fields first, then files, which stay unread (RFC 7578)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from providers.types import Content, Json, JsonObject, Upload

_ESCAPED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
"""In names, as browsers write them (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html)."""


def render(
    fields: JsonObject, files: Sequence[Upload], boundary: str
) -> tuple[str, tuple[bytes | Content, ...]]:
    """Give the content type and the pieces of a form. `boundary` is one that no file can foresee.

    A list is sent as `name[]`, once for each item; what is no text as JSON has it.
    """
    pieces: list[bytes | Content] = []
    head = b"--%b\r\n" % boundary.encode()
    for name, value in _flat(fields):
        pieces.append(head + _disposition(name) + b"\r\n\r\n" + _text(value) + b"\r\n")
    for file in files:
        media = file.media.encode("latin-1", "replace")
        pieces.append(
            b'%b%b; filename="%b"\r\ncontent-type: %b\r\n\r\n'
            % (head, _disposition(file.name), _escaped(file.filename), media)
        )
        pieces += (file.content, b"\r\n")
    pieces.append(b"--%b--\r\n" % boundary.encode())
    return f"multipart/form-data; boundary={boundary}", tuple(pieces)


def _flat(fields: JsonObject) -> Iterable[tuple[str, Json]]:
    for name, value in fields.items():
        if isinstance(value, list):
            yield from ((f"{name}[]", item) for item in value)
        elif value is not None:
            yield name, value


def _disposition(name: str) -> bytes:
    return b'content-disposition: form-data; name="%b"' % _escaped(name)


def _escaped(text: str) -> bytes:
    return text.translate(_ESCAPED).encode(errors="replace")


def _text(value: Json) -> bytes:
    return value.encode(errors="replace") if isinstance(value, str) else msgspec.json.encode(value)
