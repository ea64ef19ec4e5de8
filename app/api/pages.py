"""Everything that is not a call: models, health, metrics, and the description of the API."""

# No `from __future__ import annotations`: FastAPI reads the annotations of the nested routes as values.
import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel

from app.api.addresses import is_loopback
from app.api.admin import AdminRooms, Reloads, add_admin
from app.api.admin_reception import Reception
from app.api.description import REFUSALS, add_description
from app.api.page_errors import add_errors
from app.api.readiness import Readiness
from app.api.snapshot import Current
from app.auth.principal import Principal
from app.errors import (
    NotFound,
    Unauthorized,
    Unavailable,
)
from app.gateway.catalogue import described
from app.telemetry.clock import Clock
from app.telemetry.metrics import Metrics
from app.workers.exposition import merged
from app.workers.fellows import Fellows
from providers.types import Secret


class ModelCard(BaseModel):
    """One model, as OpenAI describes one."""

    id: str
    object: str = "model"
    created: int
    owned_by: str
    """The provider, or `switchgear` for a name that stands for several targets."""
    context_window: int | None = None
    """Tokens. This and what follows is there where it is known: of the first target, where there are several."""
    max_output_tokens: int | None = None
    input_modalities: list[str] | None = None
    output_modalities: list[str] | None = None
    capabilities: list[str] | None = None
    pricing: dict[str, str] | None = None
    """Dollars per million tokens."""
    targets: list[str] | None = None
    """What is tried, in order, where that is not the model itself."""
    listed: bool | None = None
    """Whether its provider names it in its own list now."""


class ModelList(BaseModel):
    """All models that the key may use and that can be listed."""

    object: str = "list"
    data: list[ModelCard]


class Health(BaseModel):
    """Whether the process can serve."""

    status: str


class Ready(Health):
    """Whether new calls are welcome."""

    configuration: Literal["current", "rejected"]
    """`rejected`: the one that was to be taken last cannot be used, and the last good one is at work."""
    limits: Literal["exact", "degraded"]
    """`degraded`: the state that processes share is lost, and each goes by `on_state_loss`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRooms:
    """What the pages need."""

    current: Current
    metrics: Metrics
    readiness: Readiness
    reloader: Reloads
    admin: AdminRooms
    fellows: Fellows
    state_is_lost: Callable[[], bool]
    clock: Clock
    version: str


def build_pages(rooms: PageRooms) -> FastAPI:
    """Build the FastAPI application for the pages."""
    pages = FastAPI(
        title="Switchgear",
        version=rooms.version,
        openapi_url=None,
        docs_url=None,
        redirect_slashes=False,
        responses=REFUSALS,
    )
    reception = Reception(rooms.current, rooms.admin.accounts.ring)
    _add_models(pages, rooms)
    add_admin(pages, rooms.admin, reception)
    add_description(pages, reception)
    _add_health(pages, rooms)
    _add_metrics(pages, rooms)
    add_errors(pages)
    return pages


def _add_models(pages: FastAPI, rooms: PageRooms) -> None:
    async def caller(request: Request) -> Principal:
        return await rooms.current.snapshot.callers.identify(request.scope)

    Caller = Annotated[Principal, Depends(caller)]  # noqa: N806 - a type, though it closes over who may call

    created = int(rooms.clock.wall())

    @pages.get("/v1/models", tags=["models"], response_model_exclude_none=True)
    @pages.get("/models", include_in_schema=False, response_model_exclude_none=True)
    async def list_models(principal: Caller) -> ModelList:
        cards = await asyncio.to_thread(rooms.current.snapshot.catalogue.cards, principal)
        return ModelList(data=[ModelCard(created=created, **described(each)) for each in cards])

    @pages.get("/v1/models/{name:path}", tags=["models"], response_model_exclude_none=True)
    @pages.get("/models/{name:path}", include_in_schema=False, response_model_exclude_none=True)
    async def show_model(name: str, principal: Caller) -> ModelCard:
        if not name:
            raise NotFound("Name the model: /v1/models/NAME.")
        card = await asyncio.to_thread(rooms.current.snapshot.catalogue.card, name, principal)
        return ModelCard(created=created, **described(card))


def _add_health(pages: FastAPI, rooms: PageRooms) -> None:
    @pages.head("/health/live", include_in_schema=False)
    @pages.get("/health/live", tags=["health"])
    async def live() -> Health:
        return Health(status="ok")

    @pages.head("/health/ready", include_in_schema=False)
    @pages.get("/health/ready", tags=["health"])
    async def ready() -> Ready:
        if not rooms.readiness.is_ready():
            raise Unavailable(
                "The gateway is not ready to serve.", code="not_ready", headers=(("retry-after", "1"),)
            )
        return Ready(
            status="ok",
            configuration="rejected" if rooms.reloader.rejected else "current",
            limits="degraded" if rooms.state_is_lost() else "exact",
        )


def _add_metrics(pages: FastAPI, rooms: PageRooms) -> None:
    fellows = rooms.fellows

    async def answer(_: str) -> bytes:
        return b"%d\n%b" % (fellows.number, rooms.metrics.scrape())

    async def of_all() -> bytes:
        """Give the metrics of all workers, each under its number; those of a single one as they are."""
        own = rooms.metrics.scrape()
        if not fellows.several:
            return own
        others = [answer.split(b"\n", 1) for answer in await fellows.ask("metrics")]
        return merged([(fellows.number, own), *((int(number), text) for number, text in others)])

    fellows.answer("metrics", answer)

    @pages.get("/metrics", tags=["health"], response_class=Response)
    async def metrics(request: Request) -> Response:
        _check_token(request, rooms.current.snapshot.config.metrics.token)
        return Response(await of_all(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _check_token(request: Request, token: Secret | None) -> None:
    if token is None:
        if request.client is not None and not is_loopback(request.client.host):
            raise Unauthorized("Set `metrics.token` to read metrics from another machine.")
        return
    given = request.headers.get("authorization", "").encode()
    if not hmac.compare_digest(given, b"Bearer " + token.reveal().encode()):
        raise Unauthorized("Send the token that `metrics.token` sets, as `Authorization: Bearer <token>`.")
