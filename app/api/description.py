"""The description of the API, for programs and for people: shown to whoever may read what the admin API shows."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
from collections.abc import Iterator
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from app.api.admin_reception import Reception
from app.api.call_descriptions import describe_calls
from providers.types import Json


class ErrorShown(BaseModel):
    """Why a request was refused."""

    message: str
    type: str
    param: str | None
    code: str


class Refusal(BaseModel):
    """What every answer but a success holds."""

    error: ErrorShown


REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Refusal, "description": "The request cannot be taken as it is, or not now."},
    "5XX": {"model": Refusal, "description": "The gateway, or its database, cannot answer now."},
}
"""What a route may answer beside a success, for its description."""
_SCHEME = {"key": {"type": "http", "scheme": "bearer", "description": "A key, a token, or the master key."}}
_OPEN = ("/health", "/metrics")


def add_description(pages: FastAPI, reception: Reception) -> None:
    """Add `/openapi.json` and `/docs`."""
    readers = [Depends(reception.admit_reader)]
    describe = pages.openapi

    def openapi() -> dict[str, Json]:
        schema = describe()
        for path, methods in describe_calls().items():
            schema["paths"].setdefault(path, methods)
        schema["components"]["securitySchemes"] = _SCHEME
        for described in _guarded(schema["paths"]):
            described["security"] = [{name: [] for name in _SCHEME}]
        return schema

    pages.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it

    @pages.get("/openapi.json", include_in_schema=False, dependencies=readers)
    async def show() -> dict[str, Json]:
        return pages.openapi()

    @pages.get("/docs", include_in_schema=False, dependencies=readers)
    async def read() -> HTMLResponse:
        return get_swagger_ui_html(openapi_url="openapi.json", title=f"{pages.title}: the API")


def _guarded(paths: dict[str, Json]) -> Iterator[dict[str, Json]]:
    for path, methods in paths.items():
        if not path.startswith(_OPEN):
            yield from methods.values()
