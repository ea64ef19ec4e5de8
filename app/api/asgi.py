"""The outermost layer: request ids, the token endpoints by path, and no exception leaves it.

The token endpoints are plain ASGI callables, found by path before the framework is asked, because
one coroutine must own a call from admission to settlement. Everything else is FastAPI.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

from structlog.typing import FilteringBoundLogger

from app.auth.principal import Principal
from app.errors import GatewayError, Internal, MethodNotAllowed
from app.telemetry.record import CallRecord

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]

_SANE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
REQUEST_ID = "switchgear.request_id"
"""The key under which the scope carries the request id."""

BREAK_OFF = "switchgear.break_off"
"""The key under which it carries what closes the connection without the end of the response."""


def header(headers: RawHeaders, name: bytes) -> bytes | None:
    """Give the first header of that lower-case name."""
    for found, value in headers:
        if found == name:
            return value
    return None


def request_id_of(headers: RawHeaders, new_id: Callable[[], str]) -> str:
    """Give the id that the client has sent if it is a sane one, else a new one."""
    given = header(headers, b"x-request-id")
    return given.decode() if given and _SANE_ID.fullmatch(given) else new_id()


def error_messages(error: GatewayError, request_id: str, *, close: bool = False) -> tuple[Message, Message]:
    """Render a refusal as the two ASGI messages of a whole response."""
    body = error.body()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        *((name.encode(), value.encode("latin-1", "replace")) for name, value in error.headers),
    ]
    if close:
        headers.append((b"connection", b"close"))
    return (
        {"type": "http.response.start", "status": error.http_status, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


class Endpoint(Protocol):
    """One token endpoint."""

    @property
    def operation(self) -> str:
        """What it does."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> None:
        """Serve one call."""
        ...

    def refusal(
        self, scope: Scope, request_id: str, principal: Principal | None, error: GatewayError
    ) -> CallRecord:
        """Give the record of a call of which no more than its head was looked at."""
        ...


class Endpoints(Protocol):
    """Where the token endpoints are."""

    @property
    def usual(self) -> Mapping[tuple[bytes, bytes], Endpoint]:
        """Those that stand at one place, by method and target, as nearly all clients write them."""
        ...

    def at(self, path: str) -> Mapping[str, Endpoint] | None:
        """Give those of a path by method; None where there is none."""
        ...


class FrontHall:
    """Sends each request to its room."""

    def __init__(
        self,
        calls: Endpoints,
        pages: App,
        new_id: Callable[[], str],
        log: FilteringBoundLogger,
    ) -> None:
        self._calls = calls
        self._pages = pages
        self._new_id = new_id
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        request_id = scope[REQUEST_ID] = request_id_of(scope["headers"], self._new_id)
        started = False

        async def tagged(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if header(message["headers"], b"x-request-id") is None:
                    message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._room(scope)(scope, receive, tagged)
        except GatewayError as error:
            await self._refuse(error, request_id, tagged)
        except Exception:  # noqa: BLE001 - the one place where nothing may pass: the client gets an answer
            self._log.exception("request_failed", request_id=request_id, path=scope["path"])
            if not started:
                await self._refuse(Internal(), request_id, tagged)

    def _room(self, scope: Scope) -> App:
        rooms = self._calls.at(scope["path"])
        if rooms is None:
            return self._pages
        room = rooms.get(scope["method"])
        if room is None:
            raise MethodNotAllowed(
                f"{scope['path']} takes {' or '.join(rooms)}, not {scope['method']}.",
                headers=(("allow", ", ".join(rooms)),),
            )
        return room

    async def _refuse(self, error: GatewayError, request_id: str, send: Send) -> None:
        for message in error_messages(error, request_id, close=True):
            await send(message)
