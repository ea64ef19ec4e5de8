"""Content: a chat's parts → those of the Responses API. Parts in its own shape travel untouched.

Wire formats: https://platform.openai.com/docs/api-reference/chat/create (messages) and
https://platform.openai.com/docs/api-reference/responses/create (input).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from providers import shape
from providers.errors import UnsupportedParameter
from providers.types import Json, JsonObject


def asked(content: Json, at: str) -> Json:
    """Give what a user, a system or a tool says: a text, or parts. Raises `RequestRejected`, `UnsupportedParameter`."""
    return _content(content, at, _ASKED)


def answered(content: Json, at: str) -> Json:
    """Give what the model has said: a text, or parts. Raises as `asked` does."""
    return _content(content, at, _ANSWERED)


_Part = Callable[[JsonObject, str], JsonObject]


def _content(content: Json, at: str, known: Mapping[str, _Part]) -> Json:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise shape.wrong(at, "a string or an array of parts", content)
    return [_part(part, f"{at}[{index}]", known) for index, part in enumerate(content)]


def _part(given: Json, at: str, known: Mapping[str, _Part]) -> JsonObject:
    part = shape.mapping(given, at)
    translate = known.get(shape.text(part.get("type"), f"{at}.type"))
    return part if translate is None else translate(part, at)


def _input_text(part: JsonObject, at: str) -> JsonObject:
    return {**part, "type": "input_text", "text": shape.text(part.get("text"), f"{at}.text")}


def _output_text(part: JsonObject, at: str) -> JsonObject:
    return {**part, "type": "output_text", "text": shape.text(part.get("text"), f"{at}.text")}


def _image(part: JsonObject, at: str) -> JsonObject:
    at = f"{at}.image_url"
    # The address alone is what some clients send; other servers of OpenAI's dialect take it.
    image = part.get("image_url")
    image = {"url": image} if isinstance(image, str) else shape.mapping(image, at)
    image = {**image, "image_url": shape.text(image.get("url"), f"{at}.url")}
    del image["url"]
    return {**part, "type": "input_image", **image}


def _file(part: JsonObject, at: str) -> JsonObject:
    rest = {name: value for name, value in part.items() if name != "file"}
    return {**rest, "type": "input_file", **shape.mapping(part.get("file"), f"{at}.file")}


def _audio(_part: JsonObject, at: str) -> JsonObject:
    raise UnsupportedParameter(
        f"`{at}` is audio, which the Responses API cannot take. Send text, images or files.", param=at
    )


_ASKED: Mapping[str, _Part] = {
    "text": _input_text,
    "image_url": _image,
    "file": _file,
    "input_audio": _audio,
}

_ANSWERED: Mapping[str, _Part] = {"text": _output_text}
"""A refusal looks alike on both sides."""
