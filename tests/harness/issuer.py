"""An issuer of tokens: real keys, the JWKS document, and a server on loopback that can go wrong."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER = "https://id.acme.test"
AUDIENCE = "https://gateway.acme.test"

_CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


def private_key(algorithm: str, number: int = 1, bits: int = 2048) -> Any:
    """Give a private key for an algorithm; the same one for the same number. RS and PS share theirs."""
    return _made("RSA" if algorithm[:2] in {"RS", "PS"} else algorithm, number, bits)


@cache
def _made(kind: str, _number: int, bits: int) -> Any:
    if kind == "RSA":
        return rsa.generate_private_key(65_537, bits)
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    return ed25519.Ed25519PrivateKey.generate()


def public_jwk(algorithm: str, kid: str | None = "k1", number: int = 1, **members: Any) -> dict[str, Any]:
    """Give a key as it stands in a JWKS document."""
    key = private_key(algorithm, number).public_key()
    jwk = jwt.get_algorithm_by_name(algorithm).to_jwk(key, as_dict=True)
    for name in ("key_ops", "alg"):
        jwk.pop(name, None)
    return {**jwk, "use": "sig", **({"kid": kid} if kid else {}), **members}


def key_set(*jwks: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(jwks)}).encode()


def claims(now: float | None = None, **changes: Any) -> dict[str, Any]:
    """Give the claims of a good token; a change to None takes one out."""
    begin = time.time() if now is None else now
    whole = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "jo",
        "iat": int(begin),
        "exp": int(begin) + 300,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def token(
    algorithm: str = "ES256", *, kid: str | None = "k1", number: int = 1, header: Any = None, **changes: Any
) -> bytes:
    """Give a signed token."""
    key = private_key(algorithm, number)
    headers = {**({"kid": kid} if kid else {}), **(header or {})}
    return jwt.encode(claims(**changes), key, algorithm, headers=headers).encode()


def encoded(part: Any) -> bytes:
    """Give a part of a token: JSON, or bytes as they are."""
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(data).rstrip(b"=")


def forged(header: Any, payload: Any, sign: Callable[[bytes], bytes] = lambda _: b"") -> bytes:
    """Give a token of these parts, signed by a function of what is to be signed."""
    signed = encoded(header) + b"." + encoded(payload)
    return signed + b"." + encoded(sign(signed))


Answer = Callable[[BaseHTTPRequestHandler], None]


def answers(body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> Answer:
    """Answer with a body."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return answer


class JwksServer:
    """Serves what it is told to, and counts what was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.over = Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                with suppress(OSError):
                    outer.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/keys"

    def hang(self, _: BaseHTTPRequestHandler) -> None:
        """Answer nothing until the server ends."""
        self.over.wait(30)

    def gigabyte(self, request: BaseHTTPRequestHandler) -> None:
        """Send a gigabyte, as long as somebody takes it."""
        request.send_response(200)
        request.send_header("content-length", str(1 << 30))
        request.end_headers()
        for _ in range(1 << 14):
            request.wfile.write(b" " * (1 << 16))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
