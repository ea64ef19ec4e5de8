"""A route of the admin API: who may take it is settled before anything else of a request is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.api.asgi import REQUEST_ID
from app.api.json_body import parse_object
from app.api.snapshot import Current
from app.auth.roles import Authority, Permission, authorize
from app.config.models import Config
from app.errors import UnsupportedMedia
from app.store.audit import By
from providers.types import Json

PERMISSION = "x-permission"
"""What the description of a route says about who may take it."""


class Undeclared(Exception):
    """A route of the admin API does not say who may take it."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who has sent a request, and the configuration that it is judged by."""

    authority: Authority
    config: Config
    by: By


def needs(permission: Permission) -> dict[str, Any]:
    """Declare what a route needs."""
    return {PERMISSION: permission.value}


def admitted(request: Request) -> Admitted:
    """Give who has sent a request that was let in."""
    found: Admitted = request.state.admitted
    return found


def admin_route(current: Current) -> type[APIRoute]:
    """Give the class of routes that let in whoever has the permission that they declare."""

    class AdminRoute(APIRoute):
        def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
            if PERMISSION not in (options.get("openapi_extra") or {}):
                raise Undeclared(f"{path} does not declare which permission it needs")
            super().__init__(path, endpoint, **options)

        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]  # FastAPI says Coroutine
            answer = super().get_route_handler()
            permission = Permission((self.openapi_extra or {})[PERMISSION])

            async def handle(request: Request) -> Response:
                request.state.admitted = await admit(current, request, permission)
                return await answer(TextualRequest(request.scope, request.receive))

            return handle

    return AdminRoute


async def admit(current: Current, request: Request, permission: Permission) -> Admitted:
    """Let a request in. Raises `Unauthorized`, `PermissionDenied`, `LimitReached`."""
    snapshot = current.snapshot
    principal = await snapshot.callers.identify(request.scope)
    actor = f"key:{principal.name}" if principal.key and not principal.is_master else principal.name
    by = By(actor, request.scope.get(REQUEST_ID))
    return Admitted(authorize(principal, permission), snapshot.config, by)


class TextualRequest(Request):
    """A request whose JSON body is read strictly, its numbers as text: so `0.1` of a dollar is just that."""

    async def json(self) -> Json:
        """Read the body. Raises `BadRequest`, `UnsupportedMedia`."""
        if "content-encoding" in self.headers:
            raise UnsupportedMedia("Send the body as it is, without `content-encoding`.")
        return _textual(parse_object(await self.body()))


def _textual(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {name: _textual(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_textual(each) for each in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
