"""The file of a video (https://openrouter.ai/docs/api/api-reference/video-generation/get-video-content)."""

from __future__ import annotations

from dataclasses import replace

from providers.asked import unsupported
from providers.openai import videos
from providers.openai.plain import Plain
from providers.types import Call, HttpRequest, Target


def _build(call: Call, target: Target) -> HttpRequest:
    if call.body.get("variant", "video") != "video":
        raise unsupported("variant", target, "It has the video alone. ")
    rest = {name: value for name, value in call.body.items() if name != "variant"}
    return videos.CONTENT.build_request(replace(call, body=rest), target)


CONTENT = Plain(build=_build, read=videos.CONTENT.read, opens=videos.CONTENT.opens)
