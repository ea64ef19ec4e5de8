"""Images: one for a call, given as a URL."""

from __future__ import annotations

from providers.blackbox import media
from providers.openai.plain import Plain
from providers.types import Call, JsonObject, Target, Usage


def _read(call: Call, _target: Target, answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    url = media.address(answer)
    return {"created": media.created(call, answer), "data": [{"url": url}]}, Usage(images=1)


ADAPTER = Plain(build=media.build, read=_read)
