"""What becomes of errors on pages: the answer is ours, whoever has raised them."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app.api.endpoints import PLACES
from app.auth.keyring import COME_AGAIN
from app.errors import (
    BadRequest,
    GatewayError,
    Internal,
    MethodNotAllowed,
    NotFound,
    Unavailable,
    retry_headers,
)
from app.store.database import StoreUnavailable, TookTooLong

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_CALLS = f"calls go to {', '.join(f'/v1{place.path}' for place in PLACES.values())}"


def add_errors(pages: FastAPI) -> None:
    """Add a handler for each kind of error."""
    _add_own(pages)
    _add_frameworks(pages)


def _add_own(pages: FastAPI) -> None:
    @pages.exception_handler(GatewayError)
    async def refused(_: Request, error: GatewayError) -> Response:
        return _respond(error)

    @pages.exception_handler(StoreUnavailable)
    async def away(_: Request, __: StoreUnavailable) -> Response:
        return _respond(
            Unavailable(
                "The database cannot be used now. Try again soon.",
                code="store_unavailable",
                headers=retry_headers(COME_AGAIN),
            )
        )

    @pages.exception_handler(TookTooLong)
    async def too_much(_: Request, __: TookTooLong) -> Response:
        return _respond(
            BadRequest(
                "This takes the database too long: ask for a shorter time, or for fewer names in `by`.",
                code="query_too_expensive",
            )
        )

    @pages.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> Response:
        return _respond(Internal())


def _add_frameworks(pages: FastAPI) -> None:
    @pages.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        hint = first.get("ctx", {}).get("hint")
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        return _respond(BadRequest(f"{said}; {hint}" if hint else said))

    @pages.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            allow = (("allow", ", ".join(_methods(request))),)
            return _respond(
                MethodNotAllowed(f"{request.scope['path']} does not take {request.method}.", headers=allow)
            )
        if isinstance(error.__cause__, GatewayError):
            # What reading the body has raised comes wrapped.
            return _respond(error.__cause__)
        if error.status_code == 400:
            return _respond(BadRequest("The body cannot be read."))
        return _respond(NotFound(f"There is no {request.scope['path']} here: {_CALLS}."))


def _methods(request: Request) -> list[str]:
    """Give the methods that a path takes: the framework tells those of the first of its routes."""
    return [each for each in _METHODS if _is_taken(request, each)]


def _is_taken(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)


def _respond(error: GatewayError) -> Response:
    return Response(
        error.body(),
        status_code=error.http_status,
        headers=dict(error.headers),
        media_type="application/json",
    )
