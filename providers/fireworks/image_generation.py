"""Images of Fireworks' FLUX models: `POST /workflows/{model}/text_to_image`.

Wire format: https://docs.fireworks.ai/api-reference/generate-a-new-image-from-a-text-prompt. It makes one image of a
shape, not of a size, and gives it as data. Fields that OpenAI does not have travel untouched (`seed`,
`num_inference_steps`, `guidance_scale` …).
"""

from __future__ import annotations

import re

from providers.asked import named, unsupported
from providers.errors import ContentPolicyViolation, MalformedResponse, RequestRejected, ServerFault
from providers.gemini import pictures
from providers.openai import request, wire
from providers.openai.plain import Plain
from providers.types import Call, HttpRequest, JsonObject, Target, Usage

_RATIOS = ("1:1", "21:9", "16:9", "3:2", "5:4", "4:5", "2:3", "9:16", "9:21", "4:3", "3:4")
_MODEL = re.compile(r"(?:[\w-]+/)*[\w-][\w.-]*")
"""A name that can stand in a path as it is."""


def _build(call: Call, target: Target) -> HttpRequest:
    if call.stream:
        raise RequestRejected(
            "Images cannot be streamed here; leave `stream` out or set it to false.", param="stream"
        )
    if not _MODEL.fullmatch(target.model):
        raise RequestRejected("`model` must look like accounts/fireworks/models/NAME.", param="model")
    fields = named(call.body, target, pictures.KNOWN)
    pictures.check(fields, target)
    if pictures.count(fields) > 1:
        raise unsupported("n", target, "It makes one image for a call. ")
    for name in ("output_compression", "output_format"):
        if name in fields:
            raise unsupported(name, target)
    ratio = pictures.ratio(fields, _RATIOS, target)
    body: JsonObject = {"prompt": fields.get("prompt")}
    body |= {"aspect_ratio": ratio["aspectRatio"]} if ratio else {}
    body |= {name: value for name, value in fields.items() if name not in pictures.KNOWN}
    return request.post(call, target, f"/workflows/{target.model}/text_to_image", request.written(body))


def _read(call: Call, _target: Target, answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    given = answer.get("base64")
    made = [each for each in given if wire.text_or_none(each)] if isinstance(given, list) else []
    why = answer.get("finishReason")
    if why == "CONTENT_FILTERED":
        raise ContentPolicyViolation("The provider's filter has held the image back.")
    if why == "ERROR":
        raise ServerFault("The provider gave up the image.")
    if not made:
        raise MalformedResponse("the answer has no image")
    body = {"created": call.created, "data": [{"b64_json": each} for each in made]}
    return body, Usage(images=len(made))


ADAPTER = Plain(build=_build, read=_read)
