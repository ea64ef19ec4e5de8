"""Images from a prompt (https://platform.openai.com/docs/api-reference/images/create)."""

from __future__ import annotations

from providers.openai import images, request
from providers.openai.plain import Plain
from providers.types import Call, HttpRequest, Target


def _build(call: Call, target: Target) -> HttpRequest:
    body = images.spelled(request.fields(call, target), target.quirks)
    return request.post(call, target, "/images/generations", request.written(body))


ADAPTER = Plain(build=_build, read=images.read, opens=images.opens)
