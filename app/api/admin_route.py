"""A route of the admin API: who may take it is settled before anything else of a request is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.api.admin_reception import Admitted, Reception
from app.api.json_body import parse_object
from app.auth.roles import Permission
from app.errors import UnsupportedMedia
from providers.types import Json

PERMISSION = "x-permission"
"""What the description of a route says about who may take it."""


class Undeclared(Exception):
    """A route of the admin API does not say who may take it."""


def needs(permission: Permission) -> dict[str, Any]:
    """Declare what a route needs."""
    return {PERMISSION: permission.value}


def admitted(request: Request) -> Admitted:
    """Give who has sent a request that was let in."""
    found: Admitted = request.state.admitted
    return found


def admin_route(reception: Reception) -> type[APIRoute]:
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
                request.state.admitted = await reception.admit(request, permission)
                return await answer(TextualRequest(request.scope, request.receive))

            return handle

    return AdminRoute


class TextualRequest(Request):
    """A request whose JSON body is read strictly, its numbers and flags as text, as the configuration's are.

    So `0.1` of a dollar is just that, and `false` is no duration.
    """

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
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value
