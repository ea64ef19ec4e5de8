"""Reading a request's body within its bounds."""

from __future__ import annotations

from app.api.asgi import RawHeaders, Receive, header
from app.errors import BodyTooLarge, GatewayError, UnsupportedMedia


class ClientGone(Exception):
    """The client closed its connection before its request was whole."""


def check_media(headers: RawHeaders, limit: int) -> None:
    """Refuse what the headers already show to be wrong. Raises `UnsupportedMedia` or `BodyTooLarge`."""
    refuse_encoded(headers)
    kind = (header(headers, b"content-type") or b"application/json").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise UnsupportedMedia("Send the body as JSON, with `Content-Type: application/json`.")
    declared = header(headers, b"content-length")
    if declared is not None and int(declared) > limit:
        raise _too_large(limit)


def refuse_encoded(headers: RawHeaders) -> None:
    """Refuse a body that is compressed. Raises `UnsupportedMedia`."""
    encoding = (header(headers, b"content-encoding") or b"identity").strip().lower()
    if encoding != b"identity":
        raise UnsupportedMedia(
            "Send the body without a Content-Encoding; this gateway reads it as it is.",
            code="unsupported_encoding",
        )


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read the whole body. Raises `BodyTooLarge` at the first byte over `limit`, `ClientGone`."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)


def _too_large(limit: int) -> GatewayError:
    return BodyTooLarge(f"The body is larger than {limit} bytes, the limit that `server.max_body` sets.")
