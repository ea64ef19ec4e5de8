"""Who comes to the admin API: counted by address, then recognised, then let in or not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request

from app.api.addresses import is_loopback
from app.api.asgi import REQUEST_ID
from app.api.forwarded import client_network
from app.api.snapshot import Current
from app.auth.keyring import KeyRing
from app.auth.roles import Authority, Permission, anyone_administers, authorize
from app.config.models import Config
from app.store.audit import By

if TYPE_CHECKING:
    from app.api.admin_gate import Gate


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who has sent a request, and the configuration that it is judged by."""

    authority: Authority
    config: Config
    by: By


class Reception:
    """Lets requests in."""

    def __init__(self, current: Current, ring: KeyRing) -> None:
        self._current = current
        self._ring = ring
        self._gate: Gate | None = None
        self._opening = asyncio.Lock()

    async def admit(self, request: Request, permission: Permission) -> Admitted:
        """Let a request in. Raises `Unauthorized`, `PermissionDenied`, `LimitReached`."""
        await self._count(request)
        snapshot = self._current.snapshot
        principal = await snapshot.callers.identify(request.scope)
        actor = f"key:{principal.name}" if principal.key and not principal.is_master else principal.name
        by = By(actor, request.scope.get(REQUEST_ID))
        return Admitted(authorize(principal, permission), snapshot.config, by)

    async def admit_reader(self, request: Request) -> None:
        """Let a request in that only describes the API: also one from this machine while nobody administers.

        Raises as `admit`.
        """
        if self._is_administered() or not (request.client and is_loopback(request.client.host)):
            await self.admit(request, Permission.READ)
        else:
            await self._count(request)

    def _is_administered(self) -> bool:
        return bool(self._current.snapshot.config.auth.jwt) or anyone_administers(self._ring.principals())

    async def _count(self, request: Request) -> None:
        gate = self._gate or await self._opened()
        gate.count(request)

    async def _opened(self) -> Gate:
        async with self._opening:
            if self._gate is None:
                # Neither the start of the gateway nor its calls are to wait for what that imports.
                self._gate = await asyncio.to_thread(self._open_gate)
            return self._gate

    def _open_gate(self) -> Gate:
        from app.api.admin_gate import Gate  # noqa: PLC0415 - 50 ms, which a gateway without admins saves

        return Gate(self._address, lambda: self._current.snapshot.config.admin.rate_limit)

    def _address(self, request: Request) -> str:
        return client_network(request.scope, self._current.snapshot.config.server.trusted_proxies)
