"""Images from a prompt: InvokeModel with the bodies of Amazon's models and of Stability's.

Images come as data. Fields that OpenAI does not have travel untouched: `imageGenerationConfig` and
`textToImageParams` of Amazon's, `seed` and `negative_prompt` of Stability's. Wire formats:
https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html and
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html.
Its functions are the contract of `providers/adapter.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from providers import shape
from providers.adapter import StreamDecoder
from providers.asked import merge, named, unsupported
from providers.bedrock import address
from providers.bedrock.errors import parse_error, parse_limits
from providers.errors import ContentPolicyViolation, MalformedResponse, RequestRejected, UnsupportedParameter
from providers.gemini import pictures
from providers.types import Call, Head, HttpRequest, Json, JsonObject, Reply, Target, Usage

__all__ = ["build_request", "open_stream", "parse_error", "parse_limits", "parse_response"]

_RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")


class _Answer(msgspec.Struct):
    images: list[str | None] = []
    error: Json = None
    finish_reasons: list[Json] = []


_answer = msgspec.json.Decoder(_Answer)


def _of_amazon(fields: JsonObject, target: Target) -> JsonObject:
    for name in ("output_compression", "output_format"):
        if fields.get(name, "png") != "png":
            raise unsupported(name, target, "It gives PNG. ")
    config: JsonObject = {"numberOfImages": pictures.count(fields)}
    size = shape.text(fields.get("size", "auto"), "size")
    if size != "auto":
        sides = _SIZE.fullmatch(size)
        if sides is None:
            raise RequestRejected("`size` must be auto or look like 1024x1024.", param="size")
        config |= {"width": int(sides[1]), "height": int(sides[2])}
    return {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": shape.text(fields.get("prompt"), "prompt")},
        "imageGenerationConfig": config,
    }


def _of_stability(fields: JsonObject, target: Target) -> JsonObject:
    if pictures.count(fields) > 1:
        raise unsupported("n", target, "It makes one image for a call. ")
    if "output_compression" in fields:
        raise unsupported("output_compression", target)
    ratio = pictures.ratio(fields, _RATIOS, target)
    return {
        "prompt": shape.text(fields.get("prompt"), "prompt"),
        **({"aspect_ratio": ratio["aspectRatio"]} if ratio else {}),
        **({"output_format": fields["output_format"]} if "output_format" in fields else {}),
    }


_MODELS: Mapping[str, Callable[[JsonObject, Target], JsonObject]] = {
    # A part of the name → how such a model is asked.
    "nova-canvas": _of_amazon,
    "titan-image": _of_amazon,
    "stability.": _of_stability,
}


def build_request(call: Call, target: Target) -> HttpRequest:
    """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
    if call.stream:
        raise _not_streamed()
    fields = named(call.body, target, pictures.KNOWN)
    pictures.check(fields, target)
    name = target.model.lower()
    ask = next((each for part, each in _MODELS.items() if part in name), None)
    if ask is None:
        raise UnsupportedParameter(
            "Of the models at Bedrock, those of Amazon and Stability are asked for images; this is none by its name.",
            param="model",
        )
    body = ask(fields, target)
    merge(body, {name: value for name, value in fields.items() if name not in pictures.KNOWN})
    return address.request(target, "invoke", body)


def parse_response(call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG001 - the contract's
    """Read a 2xx body. Raises `ContentPolicyViolation` where nothing passed the filter, `MalformedResponse`."""
    try:
        answer = _answer.decode(body)
    except (ValueError, RecursionError):
        raise MalformedResponse("The answer does not hold images.") from None
    made = [pictures.Picture(each) for each in answer.images if each]
    why = next((each for each in (answer.error, *answer.finish_reasons) if isinstance(each, str)), None)
    if made:
        return pictures.reply(call, made, Usage(images=len(made)))
    raise ContentPolicyViolation(why) if why else MalformedResponse("The answer holds no image.")


def open_stream(call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG001 - the contract's
    """Refuse: raises `RequestRejected`."""
    raise _not_streamed()


def _not_streamed() -> RequestRejected:
    return RequestRejected(
        "Images cannot be streamed here; leave `stream` out or set it to false.", param="stream"
    )
