"""Videos: asked for in JSON, their files fetched (https://openrouter.ai/docs/api/api-reference/video-generation)."""

from __future__ import annotations

from dataclasses import replace

from providers.asked import unsupported
from providers.openai import videos
from providers.openai.plain import Plain
from providers.types import Call, HttpRequest, Target

_FIRST_FRAME = b'"frame_images":[{"type":"image_url","frame_type":"first_frame","image_url":{"url":', b"}}]"


class Submit(videos.Jobs):
    """Implements `providers.adapter.Adapter`."""

    def build_request(self, call: Call, target: Target) -> HttpRequest:
        """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
        quirks = replace(target.quirks, video_duration=True, first_picture=_FIRST_FRAME)
        return videos.SUBMIT.build_request(call, replace(target, quirks=quirks))


def _content(call: Call, target: Target) -> HttpRequest:
    if call.body.get("variant", "video") != "video":
        raise unsupported("variant", target, "It has the video alone. ")
    rest = {name: value for name, value in call.body.items() if name != "variant"}
    return videos.CONTENT.build_request(replace(call, body=rest), target)


SUBMIT = Submit(submits=True)
CONTENT = Plain(build=_content, read=videos.CONTENT.read, opens=videos.CONTENT.opens)
