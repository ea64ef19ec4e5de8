"""The token endpoints: bytes → call, and the call's answer back. Plain ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from app.api.asgi import BREAK_OFF, REQUEST_ID, Receive, Scope, Send
from app.api.asked import Asked, Reader
from app.api.body import ClientGone
from app.api.client import ClientConnection
from app.api.deadline import read_timeout
from app.api.departure import Departure
from app.api.file_checks import check_files
from app.api.keepalive import KeepAlive
from app.api.request_checks import check_request
from app.api.session import read_session
from app.api.snapshot import Current, Snapshot
from app.api.tags import read_tags
from app.auth.principal import Principal
from app.errors import GatewayError, Unavailable
from app.gateway.record import CallLog
from app.telemetry.clock import Clock
from app.telemetry.record import CallRecord
from providers.types import Call, Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRooms:
    """What every token endpoint needs."""

    current: Current
    clock: Clock
    new_id: Callable[[], str]
    on_finish: Callable[[CallRecord], None]


@dataclass(frozen=True, slots=True)
class CallEndpoint:
    """One token endpoint."""

    operation: Operation
    rooms: CallRooms
    read: Reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call: authenticate, read, answer, and be sure that it is told of."""
        log = self._open_log(scope, scope[REQUEST_ID], self.rooms.on_finish)
        client = ClientConnection(send, log.request_id, scope.get(BREAK_OFF))
        try:
            with self.rooms.current.snapshot as snapshot:
                await self._serve(snapshot, scope, receive, client, log)
        except GatewayError as error:
            log.finish("refused", error.http_status, error.code)
            # A body that was not read still stands in the connection's way.
            await client.refuse(error, close=log.received is None)
        except ClientGone:
            log.finish("client_cancelled", 499)
        except asyncio.CancelledError:
            # The server stops, and this call has outlived the time that `server.drain` gives.
            stopping = Unavailable("The gateway is shutting down.", code="server_shutting_down")
            log.finish("interrupted", 200 if client.committed else stopping.http_status, stopping.code)
            await client.refuse(stopping, close=True)
        finally:
            log.finish("internal_error", 500, "internal_error")

    async def _serve(
        self,
        snapshot: Snapshot,
        scope: Scope,
        receive: Receive,
        client: ClientConnection,
        log: CallLog,
    ) -> None:
        server, headers = snapshot.config.server, scope["headers"]
        principal = await snapshot.callers.identify(scope)
        log.identify(principal)
        log.tags = read_tags(headers)
        session = read_session(headers)

        def received() -> None:
            log.received = self.rooms.clock.monotonic()

        asked = await self.read(scope, receive, server, received)
        try:
            call = self._call(asked, log.id, session)
            client.delivery = call.delivery
            deadline = asyncio.get_running_loop().time() + read_timeout(headers)
            kept_alive = KeepAlive(client, server.stream_commit) if call.stream else nullcontext()
            async with Departure(scope, receive, client, snapshot.on_departure, lambda: log.attempts > 0):
                with kept_alive:
                    await snapshot.gateway.serve(call, principal, client, log, deadline)
        finally:
            asked.close()

    def refusal(
        self, scope: Scope, request_id: str, principal: Principal | None, error: GatewayError
    ) -> CallRecord:
        """Give the record of a call of which no more than its head was looked at."""
        told: list[CallRecord] = []
        log = self._open_log(scope, request_id, told.append)
        if principal is not None:
            log.identify(principal)
        log.finish("refused", error.http_status, error.code)
        return told[0]

    def _open_log(self, scope: Scope, request_id: str, on_finish: Callable[[CallRecord], None]) -> CallLog:
        return CallLog(
            id=self.rooms.new_id(),
            request_id=request_id,
            method=scope["method"],
            path=scope["path"],
            clock=self.rooms.clock,
            on_finish=on_finish,
            operation=str(self.operation),
            started=self.rooms.clock.monotonic(),
        )

    def _call(self, asked: Asked, id: str, session: str) -> Call:
        """Give the call. Raises `BadRequest` for one that no provider should be asked."""
        if not asked.job:
            check_request(self.operation, asked.body)
            check_files(self.operation, asked.body, asked.files)
        created = int(self.rooms.clock.wall())
        model = asked.body.get("model", "")
        return Call(self.operation, model, asked.body, id, created, session, asked.files, asked.job)
