"""Videos: the answer comes when the video is there. What is submitted is completed then, and its name holds its URL."""

from __future__ import annotations

from providers.blackbox import media
from providers.errors import RequestRejected
from providers.openai import wire
from providers.openai.plain import Plain
from providers.openai.response import WHAT
from providers.types import Call, HttpRequest, JsonObject, Reply, Target, Usage

LONGEST = 1_024
"""Characters of a URL that a name may hold. A longer one is told once, in the answer."""


def _told(id: str, model: str, created: int, url: str) -> JsonObject:
    """Tell of a video as OpenAI does, and of its URL as xAI does."""
    return {
        "id": id,
        "object": "video",
        "status": "completed",
        "created_at": created,
        "progress": 100,
        "model": model,
        "seconds": None,
        "video": {"url": url},
    }


def _read(call: Call, target: Target, answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    url, created = media.address(answer), media.created(call, answer)
    name = f"{created} {url}" if len(url) <= LONGEST else f"video_{call.id}"
    return _told(name, target.model, created, url), Usage()


def _job(video: JsonObject) -> str:
    name: str = video["id"]
    return name if " " in name else ""


def _not_asked(call: Call, target: Target) -> HttpRequest:  # noqa: ARG001 - the contract's
    raise RequestRejected("The provider has no list of its videos: what a name tells is all.", param="id")


class Status(Plain):
    """Implements `providers.adapter.Knowing`: there is nobody to ask."""

    def known(self, call: Call, target: Target) -> Reply:
        """Tell what the video's name holds. Total."""
        created, _, url = call.job.partition(" ")
        at = int(created) if created.isdecimal() else call.created
        return Reply(wire.encode_answer(_told(call.job, target.model, at, url), WHAT), Usage())


SUBMIT = Plain(build=media.build, read=_read, job=_job)
STATUS = Status(build=_not_asked, read=_read)
