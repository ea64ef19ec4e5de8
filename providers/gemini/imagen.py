"""Imagen: `:predict` (https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api)."""

from __future__ import annotations

import msgspec

from providers import shape
from providers.asked import merge
from providers.errors import ContentPolicyViolation, UpstreamError
from providers.gemini import pictures
from providers.gemini.errors import reported, under_success
from providers.types import Call, JsonObject, Reply, Target, Usage

_RATIOS = ("1:1", "3:4", "4:3", "9:16", "16:9")


class _Prediction(msgspec.Struct, frozen=True, rename="camel"):
    bytes_base64_encoded: str = ""
    mime_type: str = ""
    prompt: str = ""
    rai_filtered_reason: str = ""


class _Answer(msgspec.Struct, frozen=True):
    predictions: list[_Prediction] = []
    error: object = None


_ANSWER = msgspec.json.Decoder(_Answer)


def ask(fields: JsonObject, target: Target) -> JsonObject:
    """Give the request body. Raises `UnsupportedParameter` and `RequestRejected`."""
    # Left out, it would make four.
    parameters: JsonObject = {"sampleCount": pictures.count(fields)}
    output: JsonObject = {}
    if "output_format" in fields:
        output["mimeType"] = f"image/{shape.text(fields['output_format'], 'output_format')}"
    if "output_compression" in fields:
        output["compressionQuality"] = fields["output_compression"]
    merge(parameters, pictures.ratio(fields, _RATIOS, target))
    merge(parameters, {"outputOptions": output} if output else {})
    merge(parameters, {name: value for name, value in fields.items() if name not in pictures.KNOWN})
    return {
        "instances": [{"prompt": shape.text(fields.get("prompt"), "prompt")}],
        "parameters": parameters,
    }


def read(call: Call, _target: Target, body: bytes) -> Reply:
    """Read a 2xx body: what a filter held back is missing. Raises `ContentPolicyViolation` where nothing is left."""
    try:
        answer = _ANSWER.decode(body)
    except (ValueError, RecursionError):
        raise under_success(body) from None
    if answer.error is not None:
        raise reported(answer.error)
    made = [
        pictures.Picture(each.bytes_base64_encoded, each.mime_type, each.prompt)
        for each in answer.predictions
        if each.bytes_base64_encoded
    ]
    if not made:
        raise _held_back(answer)
    return pictures.reply(call, made, Usage(images=len(made)))


def _held_back(answer: _Answer) -> UpstreamError:
    why = next((each.rai_filtered_reason for each in answer.predictions if each.rai_filtered_reason), "")
    return ContentPolicyViolation(why or "The provider made no image that its filters let through.")
