"""What servers of this dialect would ignore, or refuse in words that name neither field nor model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from providers.asked import unsupported
from providers.errors import UnsupportedParameter
from providers.types import Json, JsonObject, Target

_WORDS = {"image_url": "a picture", "input_audio": "sound", "file": "a file"}


def parts(body: JsonObject, target: Target) -> None:
    """Raise `UnsupportedParameter` for a part of a kind that no model of the provider takes."""
    for at, part in _parts(body):
        kind = _kind(part)
        if kind in target.quirks.foreign_parts:
            raise UnsupportedParameter(
                f"`{at}` is {_WORDS.get(kind, kind)}, which `{target.name}` cannot take.", param=at
            )


def addresses(body: JsonObject, target: Target) -> None:
    """Raise `UnsupportedParameter` for a picture that the provider would have to fetch."""
    for at, part in _parts(body):
        image = part.get("image_url") if isinstance(part, dict) else None
        url = image.get("url") if isinstance(image, dict) else image
        if isinstance(url, str) and url.startswith(("https://", "http://")):
            raise UnsupportedParameter(
                f"`{at}.image_url` is an address, and `{target.name}` fetches none. "
                "Send the picture itself, as data:…;base64,….",
                param=f"{at}.image_url",
            )


def schema(body: JsonObject, target: Target) -> None:
    """Raise `UnsupportedParameter` for an answer that must fit a schema."""
    if _kind(body.get("response_format")) == "json_schema":
        instead = "It takes json_object: describe the schema in the prompt. "
        raise unsupported("response_format", target, instead)


def dimensions(body: JsonObject, target: Target) -> None:
    """Raise `UnsupportedParameter` for vectors of another length than the model's."""
    if body.get("dimensions") is not None:
        raise unsupported("dimensions", target, "Its vectors have one length each. ")


def _parts(body: JsonObject) -> Iterator[tuple[str, Json]]:
    """Give each part of each message, and its place."""
    messages = body.get("messages")
    for place, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, dict) else None
        for index, part in enumerate(content if isinstance(content, list) else ()):
            yield f"messages[{place}].content[{index}]", part


def _kind(value: Json) -> str:
    kind = value.get("type") if isinstance(value, Mapping) else None
    return kind if isinstance(kind, str) else ""
