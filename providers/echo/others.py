"""What the embedded provider answers to operations beside words. Pure."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Annotated

import msgspec

from providers.echo.request import Request, text_of
from providers.echo.saying import tokens_of
from providers.echo.works import base64_png, judged, ranked, video, wav
from providers.types import Json, JsonObject

LONGEST_SPEECH = 4_096
"""Characters, as at OpenAI."""
MOST_IMAGES = 10
_FIELD = re.compile(rb'content-disposition: form-data; name="([^"]*)"\r\n\r\n(.*?)\r\n--', re.DOTALL)
_FILE = re.compile(rb'; filename="([^"]*)"')
_JOB = re.compile(r"/videos/([^/]+)(/content)?$")


class Made(msgspec.Struct, frozen=True):
    """An answer: JSON, or events with their types, or bytes of a content type."""

    document: JsonObject | None = None
    events: tuple[JsonObject, ...] = ()
    content: bytes = b""
    media: str = "application/json"


class Rerank(Request, frozen=True, kw_only=True):
    """A request to `/rerank`."""

    query: str
    documents: list[str | dict[str, Json]]
    top_n: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def made(self) -> Made:
        """Rank by words."""
        texts = [each if isinstance(each, str) else str(each.get("text", "")) for each in self.documents]
        results = ranked(self.query, texts, self.top_n)
        billed = {"billed_units": {"search_units": 1}}
        return Made({"id": _name("rerank", self.query), "results": results, "meta": billed})


class Images(Request, frozen=True, kw_only=True):
    """A request to `/images/generations`, or the fields of one to `/images/edits`."""

    prompt: str
    n: Annotated[int, msgspec.Meta(ge=1, le=MOST_IMAGES)] | None = None
    stream: bool | str | None = None
    partial_images: Annotated[int, msgspec.Meta(ge=0, le=3)] | None = None
    kind = "image_generation"

    def made(self) -> Made:
        """Draw a point for each."""
        tokens = tokens_of(self.prompt)
        details = {"text_tokens": tokens, "image_tokens": 0}
        usage = {
            "input_tokens": tokens,
            "input_tokens_details": details,
            "output_tokens": 1,
            "total_tokens": tokens + 1,
        }
        if self.stream in (True, "true"):
            return Made(events=tuple(self._events(usage)))
        data = [{"b64_json": base64_png(f"{self.prompt}{number}")} for number in range(self.n or 1)]
        return Made({"created": 0, "data": data, "output_format": "png", "usage": usage})

    def _events(self, usage: JsonObject) -> Iterator[JsonObject]:
        common = {
            "b64_json": base64_png(f"{self.prompt}0"),
            "created_at": 0,
            "size": "1024x1024",
            "quality": "low",
            "background": "opaque",
            "output_format": "png",
        }
        for index in range(self.partial_images or 0):
            yield {"type": f"{self.kind}.partial_image", "partial_image_index": index, **common}
        yield {"type": f"{self.kind}.completed", **common, "usage": usage}


class Edits(Images, frozen=True, kw_only=True):
    """The fields of a request to `/images/edits`."""

    kind = "image_edit"


class Video(Request, frozen=True, kw_only=True):
    """A request to `/videos`."""

    prompt: str
    seconds: Json = None

    def made(self) -> Made:
        """Be done at once."""
        return Made(video(_name("echo-video", self.prompt), self.model, self.seconds))


class Speech(Request, frozen=True, kw_only=True):
    """A request to `/audio/speech`."""

    input: Annotated[str, msgspec.Meta(max_length=LONGEST_SPEECH)]
    stream_format: str = "audio"

    def made(self) -> Made:
        """Make a WAV file, whatever was asked for."""
        sound = wav(self.input)
        if self.stream_format != "sse":
            return Made(content=sound, media="audio/wav")
        tokens = tokens_of(self.input)
        usage = {"input_tokens": tokens, "output_tokens": tokens, "total_tokens": 2 * tokens}
        delta = {"type": "speech.audio.delta", "audio": b64encode(sound).decode()}
        return Made(events=(delta, {"type": "speech.audio.done", "usage": usage}))


class Hearing(Request, frozen=True, kw_only=True):
    """The fields of a request to `/audio/transcriptions` or `/audio/translations`, and of what came with them."""

    filename: str
    size: int
    response_format: str = "json"
    stream: bool | str | None = None

    def made(self) -> Made:
        """Say how large the file is."""
        text = f"{self.size} bytes of {self.filename}"
        usage = {"type": "duration", "seconds": 1}
        if self.stream in (True, "true"):
            words = (f"{word} " for word in text.split())
            deltas: list[JsonObject] = [{"type": "transcript.text.delta", "delta": word} for word in words]
            return Made(events=(*deltas, {"type": "transcript.text.done", "text": text, "usage": usage}))
        plain = {
            "text": f"{text}\n",
            "srt": f"1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n",
            "vtt": f"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n{text}\n\n",
        }
        if (written := plain.get(self.response_format)) is not None:
            return Made(content=written.encode(), media="text/plain; charset=utf-8")
        more = {"language": "english", "duration": 1.0, "segments": []}
        return Made(
            {"text": text, **(more if self.response_format == "verbose_json" else {}), "usage": usage}
        )


class Moderation(Request, frozen=True, kw_only=True):
    """A request to `/moderations`."""

    input: str | list[Json]

    def made(self) -> Made:
        """Look for the names of the categories."""
        given = [self.input] if isinstance(self.input, str) else self.input
        results: list[Json] = [judged(text_of(each)) for each in given]
        return Made({"id": _name("modr", text_of(self.input)), "model": self.model, "results": results})


Kind = type[Rerank | Images | Video | Speech | Hearing | Moderation]
KINDS: Mapping[str, Kind] = {
    "/rerank": Rerank,
    "/images/generations": Images,
    "/images/edits": Edits,
    "/videos": Video,
    "/audio/speech": Speech,
    "/audio/transcriptions": Hearing,
    "/audio/translations": Hearing,
    "/moderations": Moderation,
}
"""By what a path ends with."""


def job(method: str, path: str) -> Made | None:
    """Answer what is asked about a video; None for a path of another kind."""
    found = _JOB.search(path)
    if found is None:
        return None
    name = found[1]
    if found[2]:
        return Made(content=b"the video " + name.encode(), media="video/mp4")
    if method == "DELETE":
        return Made({"id": name, "object": "video.deleted", "deleted": True})
    return Made(video(name, "echo", None))


def fields_of(beginning: bytes, size: int) -> JsonObject:
    """Read a form of ours: its fields stand before its files, and are all in its beginning."""
    fields: JsonObject = {
        name.decode().removesuffix("[]"): value.decode(errors="replace")
        for name, value in _FIELD.findall(beginning)
    }
    for name in ("n", "partial_images"):
        if str(fields.get(name)).isdigit():
            fields[name] = int(fields[name])
    file = _FILE.search(beginning)
    return {**fields, "filename": file[1].decode(errors="replace") if file else "", "size": size}


def _name(prefix: str, text: str) -> str:
    return f"{prefix}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:24]}"
