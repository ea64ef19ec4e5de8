"""What making and editing images have in common: the size as a provider spells it, and the answer."""

from __future__ import annotations

import math
import re

from providers.adapter import StreamDecoder
from providers.errors import MalformedResponse, RequestRejected
from providers.openai import counts, passing, wire
from providers.types import Call, Head, JsonObject, Quirks, Target, Usage

_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")


def spelled(body: JsonObject, quirks: Quirks) -> JsonObject:
    """Say the size and the form of images as the provider takes them. Raises `RequestRejected`."""
    size = _SIZE.fullmatch(str(body.get("size")))
    if size is None and body.get("size") not in (None, "auto") and (quirks.image_sides or quirks.image_ratio):
        raise RequestRejected("`size` must be `auto`, or width and height such as `1024x1024`.", param="size")
    if quirks.image_sides:
        body = {name: value for name, value in body.items() if name != "size"}
        if size:
            body = {**body, "width": int(size[1]), "height": int(size[2])}
        if body.get("response_format") == "b64_json":
            body["response_format"] = "base64"
    if quirks.image_ratio:
        body = {name: value for name, value in body.items() if name != "size"}
        if size:
            body.setdefault("aspect_ratio", ratio(int(size[1]), int(size[2])))
    return body


def ratio(width: int, height: int) -> str:
    """Give `16:9` for 1920 and 1080."""
    common = math.gcd(width, height)
    return f"{width // common}:{height // common}"


def read(call: Call, _target: Target, answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    """Read a whole answer. Raises `MalformedResponse` for one without a picture."""
    data = wire.objects(answer.get("data"), "the list of images")
    if not all(
        wire.text_or_none(item.get("b64_json")) or wire.text_or_none(item.get("url")) for item in data
    ):
        raise MalformedResponse("an image has neither data nor a URL")
    if not data:
        raise MalformedResponse("the answer has no image")
    created = wire.whole_number(answer.get("created"))
    answer["created"] = call.created if created is None else created
    return answer, _made(counts.read(answer.get("usage")), len(data))


def opens(call: Call, _head: Head) -> StreamDecoder:
    """Start reading a stream of partial images."""
    return passing.Frames({f"{call.operation}.completed"}, _used)


def _used(event: JsonObject) -> Usage | None:
    if not str(event.get("type")).endswith(".completed"):
        return None
    return _made(counts.read(event.get("usage")), 1)


def _made(used: Usage | None, images: int) -> Usage:
    """Add the pictures. What such a model gives is pictures, also where it does not say so of its tokens."""
    known = used or Usage()
    return Usage(
        input_tokens=known.input_tokens,
        output_tokens=known.output_tokens,
        cached_tokens=known.cached_tokens,
        image_input_tokens=known.image_input_tokens,
        image_output_tokens=known.image_output_tokens or known.output_tokens,
        images=images,
    )
