"""What a request's head must be before anything else looks at it. Bytes in, a refusal or nothing out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus

import httptools

from app.errors import BadRequest, GatewayError

Headers = Iterable[tuple[bytes, bytes]]

_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,255})(?::[0-9]{0,5})?")
_VERSIONS = ("1.1", "1.0")


class HostRule:
    """Which `Host` values are ours. Empty: any that is a plain host; `*.example.com` takes its subdomains."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.configure(allowed)

    def configure(self, allowed: Iterable[str]) -> None:
        """Take other names."""
        self._taken_last = b""
        names = [name.lower() for name in allowed]
        self._open = not names or "*" in names
        self._names = frozenset(names)
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*."))

    def check(self, value: bytes) -> None:
        """Raise `BadRequest` unless the value is `host[:port]` and allowed (RFC 9112, 3.2)."""
        # Nearly all clients name the same one.
        if value == self._taken_last and value:
            return
        match = _HOST.fullmatch(value)
        if match is None:
            raise BadRequest(
                "The Host header is not a plain host with an optional port.", code="invalid_host"
            )
        if not self._open:
            self._check_name(match[1].decode("ascii").lower().rstrip("."))
        self._taken_last = value

    def _check_name(self, host: str) -> None:
        if host not in self._names and not host.endswith(self._suffixes):
            raise BadRequest(
                "This host name is not served here; `server.allowed_hosts` lists those that are.",
                code="invalid_host",
            )


def check_head(method: bytes, version: str, target: bytes, headers: Headers, hosts: HostRule) -> bytes:
    """Give the target in origin form: path and query. Raises `BadRequest` for an ambiguous or foreign head.

    RFC 9112, 3.2 (target and Host), 6.1 and 6.3 (framing; stricter here, for two readers that
    disagree about where a body ends are how a second request is smuggled in).
    """
    if version not in _VERSIONS:
        raise BadRequest("Only HTTP/1.1 and HTTP/1.0 are spoken here.", code="invalid_http")
    named: list[bytes] = []
    encodings: list[bytes] = []
    lengths = 0
    for name, value in headers:
        if name == b"host":
            named.append(value)
        elif name == b"content-length":
            lengths += 1
        elif name == b"transfer-encoding":
            encodings.append(value)
    if encodings or lengths > 1:
        _check_framing(version, encodings, lengths)
    path, authority = _split_target(method, target)
    _check_hosts(version, named, authority, hosts)
    return path


def _check_framing(version: str, encodings: Sequence[bytes], lengths: int) -> None:
    if lengths > 1 or (lengths and encodings):
        raise BadRequest("The length of the body must be given once, in one way.", code="invalid_framing")
    if version == "1.0":
        raise BadRequest("HTTP/1.0 has no Transfer-Encoding.", code="invalid_framing")
    if len(encodings) > 1 or encodings[0].lower() != b"chunked":
        raise BadRequest("The only Transfer-Encoding taken is a single `chunked`.", code="invalid_framing")


def _split_target(method: bytes, target: bytes) -> tuple[bytes, bytes | None]:
    """Give path with query, and the authority of an absolute-form target."""
    if method == b"CONNECT" or not target.isascii() or b"#" in target:
        raise _wrong_target()
    if target.startswith(b"/") or target == b"*":
        return target, None
    scheme, mark, rest = target.partition(b"://")
    if not mark or scheme.lower() not in (b"http", b"https"):
        raise _wrong_target()
    authority = re.split(rb"[/?]", rest, maxsplit=1)[0]
    path = rest[len(authority) :]
    return (path if path.startswith(b"/") else b"/" + path), authority


def _wrong_target() -> BadRequest:
    return BadRequest("The request target must be a path, or an http URL.", code="invalid_target")


def _check_hosts(version: str, values: Sequence[bytes], authority: bytes | None, hosts: HostRule) -> None:
    if len(values) > 1 or (not values and version == "1.1"):
        raise BadRequest(f"A request needs one Host header; this one has {len(values)}.", code="invalid_host")
    if authority is not None and values and authority.lower() != values[0].lower():
        raise BadRequest("The Host header and the URL name different hosts.", code="invalid_host")
    # An HTTP/1.0 request may name no host; where hosts are restricted, that is one we do not serve.
    named = values[0] if values else authority
    hosts.check(named if named is not None else b"unnamed.invalid")


def without_upgrade(method: bytes, version: str, target: bytes, headers: Headers) -> bytes:
    """Render the head anew without its `Upgrade` field, which a server may ignore (RFC 9110, 7.8)."""
    lines = [method + b" " + target + b" HTTP/" + version.encode()]
    lines += [name + b": " + value for name, value in headers if name != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])


def refusal(error: httptools.HttpParserError) -> GatewayError:
    """Give the refusal behind a parser's error: the one that a callback raised, else a 400."""
    raised = error.__context__
    if isinstance(raised, GatewayError):
        return raised
    if isinstance(error, httptools.HttpParserCallbackError):
        return BadRequest("The request target is not a valid path or URL.", code="invalid_target")
    return BadRequest(f"This is not valid HTTP/1.1: {error}.", code="invalid_http")


def render(error: GatewayError, request_id: str, server_headers: Headers) -> bytes:
    """Render a refusal as a whole HTTP/1.1 answer, after which the connection ends."""
    body = error.body()
    headers = (
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("x-request-id", request_id),
        ("connection", "close"),
        *error.headers,
    )
    lines = [f"HTTP/1.1 {error.http_status} {HTTPStatus(error.http_status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    head = "\r\n".join(lines).encode("latin-1")
    return b"\r\n".join([head, *(name + b": " + value for name, value in server_headers), b"", body])
