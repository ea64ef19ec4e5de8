"""What both ways of making images share: OpenAI's fields, and the answer in OpenAI's form.

Wire format: https://platform.openai.com/docs/api-reference/images/create.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from providers import shape
from providers.asked import Neutral, refuse, unsupported
from providers.errors import RequestRejected
from providers.types import Call, JsonObject, Reply, Target, Usage

_REFUSED: Mapping[str, Neutral] = MappingProxyType(
    {
        "background": lambda value: value in ("auto", "opaque"),
        "moderation": lambda value: value == "auto",
        "partial_images": lambda value: value == 0,
        "quality": lambda value: value in ("auto", "standard"),
        "style": lambda _: False,
    }
)
_OURS = frozenset({"model", "n", "prompt", "response_format", "size", "stream", "user"})
KNOWN = _OURS | _REFUSED.keys() | {"output_compression", "output_format"}
"""The fields that are OpenAI's."""

_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")


class Picture(msgspec.Struct, frozen=True):
    """One image, in base64."""

    data: str
    mime_type: str = ""
    prompt: str = ""
    """What the model made of the prompt, where it says so."""


def check(fields: JsonObject, target: Target) -> None:
    """Raise `UnsupportedParameter` for what neither way can take, `RequestRejected` for what is wrong."""
    refuse(fields, _REFUSED, target)
    form = fields.get("response_format", "b64_json")
    if form == "url":
        raise unsupported("response_format", target, "It gives images as data: ask for b64_json. ")
    if form != "b64_json":
        raise RequestRejected("`response_format` must be b64_json.", param="response_format")


def count(fields: JsonObject) -> int:
    """Give how many images are asked for. Raises `RequestRejected`."""
    asked = fields.get("n", 1)
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 1:
        raise RequestRejected("`n` must be a whole number of images, 1 or more.", param="n")
    return asked


def ratio(fields: JsonObject, known: Sequence[str], target: Target) -> JsonObject:
    """Give `aspectRatio` for `size`, where one is asked for. Raises `UnsupportedParameter` for one not `known`."""
    size = shape.text(fields.get("size", "auto"), "size")
    if size == "auto":
        return {}
    sides = _SIZE.fullmatch(size)
    if sides is None:
        raise RequestRejected("`size` must be auto or look like 1024x1024.", param="size")
    for each in known:
        across, _, down = each.partition(":")
        if int(sides[1]) * int(down) == int(sides[2]) * int(across):
            return {"aspectRatio": each}
    raise unsupported("size", target, f"It makes images of {', '.join(known)}. ")


def reply(call: Call, pictures: Sequence[Picture], usage: Usage, model: str | None = None) -> Reply:
    """Give the images as OpenAI does; tokens where some were counted."""
    body: JsonObject = {"created": call.created, "data": [_shown(each) for each in pictures]}
    kind, _, form = pictures[0].mime_type.partition("/")
    if kind == "image":
        body["output_format"] = form
    if usage.input_tokens or usage.output_tokens:
        body["usage"] = {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        }
    return Reply(msgspec.json.encode(body), usage, model)


def _shown(picture: Picture) -> JsonObject:
    revised = {"revised_prompt": picture.prompt} if picture.prompt else {}
    return {"b64_json": picture.data, **revised}
