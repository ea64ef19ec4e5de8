"""An answer that tells where the next one is: it may not lead to another server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx2
import pytest

from app.config.models import Timeouts
from app.gateway.attempt import Attempt
from app.gateway.through_httpx import HttpxCarrier
from app.gateway.upstream import Upstream
from providers.errors import MalformedResponse
from providers.gemini.videos import CONTENT, Content
from providers.posting import get
from providers.types import Call, Head, HttpRequest, Operation, Secret, Target

TARGET = Target("up", "gemini", "https://up.test/v1", "veo", Secret("key"))
CALL = Call(Operation.VIDEO_CONTENT, "m", {}, job="models/veo/operations/1")


class Elsewhere(Content):
    """Believes every answer."""

    def next_request(self, call: Call, target: Target, head: Head, body: bytes) -> HttpRequest:
        return get(json.loads(body)["at"], {}, target)


async def test_an_answer_leads_to_the_same_server_alone() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, json={"at": at})

    upstream = Upstream(HttpxCarrier(httpx2.MockTransport(answer)), connect=1.0)
    adapter = Elsewhere(build=CONTENT.build, opens=CONTENT.opens)
    attempt = Attempt(CALL, TARGET, adapter, upstream, Timeouts(), lambda: 0.0, lambda _status, _limits: None)

    async def take() -> AsyncIterator[None]:
        async with attempt.stream() as batches:
            async for _ in batches:
                yield

    for at in (
        "https://evil.test/v1/f",
        "http://up.test/v1/f",
        "https://up.test:8443/f",
        "https://up.test@evil.test/f",
    ):
        asked.clear()
        with pytest.raises(MalformedResponse, match="another server"):
            [_ async for _ in take()]
        assert asked == ["https://up.test/v1/models/veo/operations/1"], at
