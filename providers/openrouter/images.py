"""Images, made and edited in one place: what is edited is a reference (https://openrouter.ai/docs/api/api-reference/images/generate-an-image)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers import shape
from providers.asked import Neutral, unsupported, without
from providers.openai import data_urls, images, request, wire
from providers.openai.data_urls import Pieces
from providers.openai.plain import Plain
from providers.types import Call, HttpRequest, Json, JsonObject, Target, Upload, Usage

_PATH = "/images"
_LACKS: Mapping[str, Neutral] = MappingProxyType(
    {
        "moderation": lambda value: value == "auto",
        "partial_images": lambda value: value == 0,
        "response_format": lambda value: value == "b64_json",
        "style": lambda _: False,
        "user": lambda _: True,
    }
)
_EDIT_LACKS: Mapping[str, Neutral] = MappingProxyType(
    {
        **_LACKS,
        "input_fidelity": lambda value: value == "low",
        "mask": lambda _: False,
        "stream": lambda value: value in (False, "false"),
    }
)
_NUMBERS = frozenset({"n", "output_compression"})
"""Texts in a form."""
_IMAGES = frozenset({"image", "image[]"})


def _make(call: Call, target: Target) -> HttpRequest:
    body = without(request.fields(call, target), _LACKS, target)
    return request.post(call, target, _PATH, request.written(body))


def _edit(call: Call, target: Target) -> HttpRequest:
    body = without(request.fields(call, target), _EDIT_LACKS, target)
    given = shape.listing(body.pop("images", None) or [], "images")
    pictures = [*map(_reference, (_uploaded(file, target) for file in call.files))]
    pictures += [_reference((_linked(each, target),)) for each in given]
    if not pictures:
        raise unsupported("image", target, "It takes files, or `images` with an `image_url` each. ")
    for name in _NUMBERS & body.keys():
        if isinstance(text := body[name], str) and text.isdecimal():
            body[name] = int(text[:9])
    written = request.written(body)
    whole = data_urls.beside(written, b'"input_references":[', pictures, b"]")
    return request.post(call, target, _PATH, whole)


def _reference(url: Pieces) -> Pieces:
    return b'{"type":"image_url","image_url":{"url":', *url, b"}}"


def _uploaded(file: Upload, target: Target) -> Pieces:
    if file.name not in _IMAGES:
        raise unsupported(file.name, target)
    return data_urls.quoted(file)


def _linked(given: Json, target: Target) -> bytes:
    url = given.get("image_url") if isinstance(given, dict) else None
    if not isinstance(url, str):
        raise unsupported("images", target, "It takes an `image_url` for each. ")
    return wire.encode(url)


def _read(call: Call, target: Target, answer: JsonObject) -> tuple[JsonObject, Usage | None]:
    clean, used = images.read(call, target, answer)
    if used is not None and (used.input_tokens or used.output_tokens):
        tokens = {"input_tokens": used.input_tokens, "output_tokens": used.output_tokens}
        clean["usage"] = {**clean["usage"], **tokens}
    return clean, used


GENERATION = Plain(build=_make, read=_read, opens=images.opens)
EDIT = Plain(build=_edit, read=_read)
