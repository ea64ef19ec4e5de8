"""Reading a form: its fields as JSON would have them, its files spooled, so that every attempt can send them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from app.api.asgi import RawHeaders, Receive, Scope, header
from app.api.asked import Asked, read_json
from app.api.body import ClientGone, refuse_encoded
from app.api.multipart import END, Multipart, Part, Piece, boundary_of
from app.api.uploads import Spooled
from app.config.models import Server
from app.errors import BadRequest, BodyTooLarge, UnsupportedMedia
from providers.types import Json, JsonObject, Upload

MOST_PARTS = 256
"""Fields and files. OpenAI takes 16 images and a mask."""
FIELDS_LIMIT = 1 << 20
"""Bytes of all fields that are no files. A prompt has 32,000 characters at most."""
_FLAGS: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}


@dataclass(slots=True)
class _Form:
    """One form while it is read."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: list[tuple[Part, Spooled]] = field(default_factory=list)
    _part: Part | None = None
    _text: bytearray = field(default_factory=bytearray)
    _texts: int = 0

    async def take(self, piece: Piece) -> None:
        """Take what the form has next. Raises `BadRequest`, `Unavailable`."""
        if isinstance(piece, Part):
            self._begin(piece)
        elif self._part is None:
            return
        elif self._part.filename is not None:
            spooled = self.files[-1][1]
            await (spooled.write(piece) if isinstance(piece, bytes) else spooled.finish())
        elif piece is END:
            self.fields.append((self._part.name, self._text.decode(errors="replace")))
        elif isinstance(piece, bytes):
            self._add_text(piece)

    def close(self) -> None:
        """Let go of the files."""
        for _, spooled in self.files:
            spooled.close()

    def asked(self) -> Asked:
        """Give the whole."""
        files = tuple(
            Upload(part.name, part.filename or "", part.media, spooled) for part, spooled in self.files
        )
        return Asked(_body(self.fields), files, closing=(self.close,))

    def _begin(self, part: Part) -> None:
        if len(self.fields) + len(self.files) >= MOST_PARTS:
            raise BadRequest(f"The form has more than {MOST_PARTS} parts.", code="invalid_form")
        self._part = part
        self._text = bytearray()
        if part.filename is not None:
            self.files.append((part, Spooled()))

    def _add_text(self, piece: bytes) -> None:
        self._text += piece
        self._texts += len(piece)
        if self._texts > FIELDS_LIMIT:
            raise BodyTooLarge(f"The fields of the form are larger than {FIELDS_LIMIT} bytes together.")


async def read_form(scope: Scope, receive: Receive, server: Server, received: Callable[[], None]) -> Asked:
    """Read a form within `server.max_upload`. Raises `GatewayError`, `ClientGone`."""
    headers = scope["headers"]
    refuse_encoded(headers)
    boundary = boundary_of(header(headers, b"content-type") or b"")
    if boundary is None:
        raise UnsupportedMedia("Send a form with the file: `Content-Type: multipart/form-data; boundary=…`.")
    _check_length(headers, server.max_upload)
    reader, form = Multipart(boundary), _Form()
    try:
        async for data in _pieces(receive, server.max_upload):
            for piece in reader.feed(data):
                await form.take(piece)
    except BaseException:
        form.close()
        raise
    if not reader.done:
        form.close()
        raise BadRequest("The form ends before its last boundary.", code="invalid_form")
    received()
    return form.asked()


async def read_form_or_json(
    scope: Scope, receive: Receive, server: Server, received: Callable[[], None]
) -> Asked:
    """Read whichever comes."""
    kind = header(scope["headers"], b"content-type") or b""
    read = read_form if kind.strip().lower().startswith(b"multipart/") else read_json
    return await read(scope, receive, server, received)


async def _pieces(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        data = message.get("body", b"")
        size += len(data)
        if size > limit:
            raise _too_large(limit)
        yield data
        more = message.get("more_body", False)


def _check_length(headers: RawHeaders, limit: int) -> None:
    declared = header(headers, b"content-length")
    if declared is not None and int(declared) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The form is larger than {limit} bytes, the limit that `server.max_upload` sets.")


def _body(fields: list[tuple[str, str]]) -> JsonObject:
    """Give the fields as JSON has them: `name[]`, or a name that comes again, as a list."""
    body: JsonObject = {}
    for name, text in fields:
        plain, value = name.removesuffix("[]"), _value(name, text)
        if name != plain or isinstance(body.get(plain), list):
            body.setdefault(plain, []).append(value)
        else:
            body[plain] = [body[plain], value] if plain in body else value
    return body


def _value(name: str, text: str) -> Json:
    kind = _KINDS.get(name)
    if kind is None:
        return text
    try:
        return kind(text)
    except (ValueError, KeyError):
        # What it should be is said by the checks that follow.
        return text


_KINDS: Mapping[str, Callable[[str], Json]] = {
    "stream": lambda text: _FLAGS[text.lower()],
    "n": int,
    "partial_images": int,
    "output_compression": int,
    "temperature": float,
}
"""Fields that are no texts."""
