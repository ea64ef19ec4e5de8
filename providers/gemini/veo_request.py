"""Fields of a video → what Veo takes.

Fields that OpenAI does not have go to where Veo has them: a few to the instance or to the top, the others to
`parameters`. Wire formats: see `operation.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from providers import shape
from providers.asked import merge, named, twice, unsupported
from providers.errors import RequestRejected
from providers.posting import Body, written
from providers.types import Call, InBase64, JsonObject, Target

_KNOWN = frozenset({"input_reference", "model", "prompt", "seconds", "size", "stream", "user"})
_OF_INSTANCE = frozenset({"image", "lastFrame", "mask", "referenceImages", "video"})
_OF_TOP = frozenset({"labels", "webhookConfig"})
_LENGTH = 8
"""Seconds of a video whose length nobody says, as Veo has it."""
_SIZES: Mapping[str, JsonObject] = MappingProxyType(
    {
        # 720 lines need not be said, and Veo 2 has no word for them.
        "1280x720": {"aspectRatio": "16:9"},
        "720x1280": {"aspectRatio": "9:16"},
        "1920x1080": {"aspectRatio": "16:9", "resolution": "1080p"},
        "1080x1920": {"aspectRatio": "9:16", "resolution": "1080p"},
        "3840x2160": {"aspectRatio": "16:9", "resolution": "4k"},
        "2160x3840": {"aspectRatio": "9:16", "resolution": "4k"},
    }
)


def body(call: Call, target: Target, *, says_all: bool) -> Body:
    """Give the body that submits a video; `says_all`: also what would be so anyway. Raises `RequestRejected`."""
    fields = named(call.body, target, _KNOWN)
    if fields.get("stream"):
        raise RequestRejected("A video cannot be streamed; leave `stream` out.", param="stream")
    others = {name: value for name, value in fields.items() if name not in _KNOWN}
    instance: JsonObject = {"prompt": shape.text(fields.get("prompt"), "prompt")}
    instance |= {name: others.pop(name) for name in sorted(_OF_INSTANCE & others.keys())}
    if "input_reference" in fields:
        merge(instance, {"image": _image(fields["input_reference"], target)})
    if call.files and "image" in instance:
        raise twice("input_reference")
    top = {name: others.pop(name) for name in sorted(_OF_TOP & others.keys())}
    parameters = _parameters(fields, others, target)
    if not says_all:
        asked = {*others, "durationSeconds"} if "seconds" in fields else others
        for name in {"sampleCount", "durationSeconds"} - set(asked):
            del parameters[name]
    whole = {**top, **({"parameters": parameters} if parameters else {}), "instances": [instance]}
    return _with_file(written(whole), call, target) if call.files else written(whole)


def _parameters(fields: JsonObject, others: JsonObject, target: Target) -> JsonObject:
    parameters: JsonObject = {"sampleCount": 1, "durationSeconds": _seconds(fields)}
    if "size" in fields:
        size = shape.text(fields["size"], "size")
        if size not in _SIZES:
            raise unsupported("size", target, f"It takes {', '.join(_SIZES)}. ")
        merge(parameters, _SIZES[size])
    merge(parameters, others)
    return parameters


def seconds(call: Call, target: Target) -> int:
    """Give how long the video is to be. Raises `RequestRejected`."""
    return _seconds(named(call.body, target, _KNOWN))


def _seconds(fields: JsonObject) -> int:
    given = fields.get("seconds", fields.get("durationSeconds", _LENGTH))
    # A form has texts only, and so has OpenAI's SDK.
    if isinstance(given, str) and given.isdecimal() and len(given) < 5:
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise RequestRejected("`seconds` must be a whole number, 1 or more.", param="seconds")
    return given


def _image(given: object, target: Target) -> JsonObject:
    """Give a picture that came in JSON, as OpenAI has it: `{"image_url": "data:…"}`."""
    url = given.get("image_url") if isinstance(given, dict) else None
    if not isinstance(url, str) or not url.startswith("data:"):
        raise unsupported("input_reference", target, "It takes a file, or a data URL in `image_url`. ")
    media, data = shape.data_url(url, "input_reference.image_url")
    return {"mimeType": media, "bytesBase64Encoded": data}


def _with_file(whole: bytes, call: Call, target: Target) -> Body:
    """Put the one picture into the instance, which is the last of the body, unread."""
    file, *others = call.files
    if others or file.name != "input_reference":
        wrong = others[0].name if others else file.name
        raise unsupported(wrong, target, "It takes one picture, as `input_reference`. ")
    instance = whole.removesuffix(b"}]}")
    media = msgspec.json.encode(file.media)
    return (
        b'%b,"image":{"mimeType":%b,"bytesBase64Encoded":"' % (instance, media),
        InBase64(file.content),
        b'"}}]}',
    )
