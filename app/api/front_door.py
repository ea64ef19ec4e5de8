"""The front door: uvicorn's HTTP/1.1 protocol, with bounds on what a client may send and how slowly.

It stands before authentication, so everything here is cheap and bounded. This file is the reading
side; `front_door_connection` keeps the time and ends connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import unquote
from uuid import uuid4

import httptools

from app.api.farewell import Farewell
from app.api.front_door_connection import Door, Refused
from app.api.front_door_cycle import Cycle
from app.api.front_door_entrance import EntranceProtocol
from app.api.front_door_head import HostRule, check_head, refusal, without_upgrade
from app.api.front_door_limits import NEVER, FrontDoorLimits
from app.api.porter import Doorkeeper, NoPorter
from app.api.turned_away import FixedLines
from app.errors import BadRequest, GatewayError, HeadersTooLarge, UriTooLong

__all__ = ["FrontDoorLimits", "FrontDoorProtocol", "front_door"]

SLICE = 4096
"""Bytes fed to the parser at once: its buffers can outgrow a bound by no more than this."""


def _fresh_id() -> str:
    return uuid4().hex


def _ignore(_request_id: str, _error: GatewayError) -> None:
    pass


class FrontDoorProtocol(EntranceProtocol):
    """One connection. `front_door` makes the class that uvicorn can instantiate."""

    def data_received(self, data: bytes) -> None:
        """Feed the parser slice by slice, so that the bounds hold while the bytes arrive."""
        self._unset_keepalive_if_required()
        if self._deaf:
            return
        if self._head_by == NEVER and not self._reading_body:
            self._expect_head()
        try:
            if len(data) <= SLICE:
                self._feed(data)
            else:
                view = memoryview(data)
                for start in range(0, len(view), SLICE):
                    self._feed(view[start : start + SLICE])
        except GatewayError as error:
            self._refuse(error)
        if self._turned_away is not None and self._pace is None and not self._closed:
            self._pace_rest()

    # The parser's side.

    def on_message_begin(self) -> None:
        """Start a request's bounds."""
        if len(self.pipeline) >= self._limits.pipelined:
            raise BadRequest("Too many requests were sent ahead of their answers.", code="invalid_http")
        super().on_message_begin()
        self._quiet = self._head_size = 0
        self._begun, self._never_begun = True, False
        if self._head_by == NEVER or self.door.farewell.begun:
            self._expect_head()

    def on_url(self, url: bytes) -> None:
        """Take a part of the target, within `url_bytes`."""
        self._quiet = 0
        if len(self.url) + len(url) > self._limits.url_bytes:
            raise UriTooLong(f"The request target is longer than {self._limits.url_bytes} bytes.")
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field within the bounds; drop a trailer, which must not pass for a header."""
        limits, headers = self._limits, self.headers
        self._quiet = 0
        self._head_size += len(name) + len(value) + 4  # every field has a colon, a space and a line's end
        if self._reading_body:
            if self._head_size > limits.framing_bytes:
                raise BadRequest("The trailers are too large.", code="invalid_framing")
            return
        if self._head_size > limits.header_bytes:
            raise _headers_too_large(limits)
        if len(headers) >= limits.header_count:
            raise HeadersTooLarge(f"There are more than {limits.header_count} header fields.")
        # As uvicorn does it.
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge the head, then start the request."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        path = check_head(method, version, self.url, self.headers, self.door.hosts)
        if self.parser.should_upgrade():
            # The parser would take the body for another protocol: it gets this head again, as a plain one.
            self._plain_head = without_upgrade(method, version, self.url, self.headers)
            return
        self.url = path
        self._begun, self._reading_body = False, True
        self._quiet = self._head_size = 0
        self._head_by = NEVER
        lasts = version != "1.0" and self.parser.should_keep_alive() and not self.door.farewell.begun
        if self._is_refused(method, keep_alive=lasts):
            return
        self._take_up(method, version)
        self._keep_alive = self.cycle.keep_alive and not self.door.farewell.begun
        # An answer that starts before the body is here says `connection: close`: what is left unread
        # would stand before the next request.
        self.cycle.keep_alive = False

    def _take_up(self, method: bytes, version: str) -> None:
        """Start the request, or let it wait for the answers that are owed before. As uvicorn does, with our `Cycle`."""
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope = self.scope
        scope["method"] = method.decode("ascii")
        scope["http_version"] = version
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        before = self.cycle
        self.cycle = Cycle(
            scope=scope,
            transport=self._exit,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """Count it, then keep it for the application."""
        self._quiet = 0
        if self._pace is not None:
            self._pace.took(len(body))
        if not self._never_begun:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the body's bounds: from here on nothing cuts the answer but a client that does not read."""
        if self._plain_head:
            return
        self._reading_body = False
        self._pace = None
        if self._never_begun:
            self._answer_unbegun(whole=True)
            return
        if not self.cycle.response_started:
            self.cycle.keep_alive = self._keep_alive
        super().on_message_complete()

    def _feed(self, piece: bytes | memoryview) -> None:
        limits = self._limits
        self._quiet += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._feed_plainly(piece[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            raise refusal(error) from error
        if self._reading_body:
            if self._quiet > limits.framing_bytes:
                raise BadRequest("The chunks are more framing than body.", code="invalid_framing")
        elif self._head_size + self._quiet > limits.header_bytes:
            raise _headers_too_large(limits)

    def _feed_plainly(self, rest: bytes | memoryview) -> None:
        head, self._plain_head = self._plain_head, b""
        self.parser = httptools.HttpRequestParser(self)
        for piece in (memoryview(head), rest):
            self._feed(piece)


def _headers_too_large(limits: FrontDoorLimits) -> HeadersTooLarge:
    return HeadersTooLarge(f"The header fields are larger than {limits.header_bytes} bytes together.")


def front_door(
    limits: FrontDoorLimits | None = None,
    hosts: HostRule | None = None,
    new_id: Callable[[], str] = _fresh_id,
    refused: Refused = _ignore,
    farewell: Farewell | None = None,
    porter: Doorkeeper | None = None,
) -> type[FrontDoorProtocol]:
    """Give the class for `uvicorn.Config(http=…)`; `refused(request_id, error)` hears what it answers itself."""

    class ConfiguredFrontDoor(FrontDoorProtocol):
        door = Door(
            limits or FrontDoorLimits(),
            hosts or HostRule(),
            new_id,
            refused,
            farewell or Farewell(),
            porter or NoPorter(),
        )
        fixed = FixedLines()

    return ConfiguredFrontDoor
