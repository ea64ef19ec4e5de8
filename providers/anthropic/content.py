"""Content: OpenAI's parts → Anthropic's blocks. Blocks in Anthropic's own shape travel untouched.

Wire formats: https://platform.openai.com/docs/api-reference/chat/create (messages) and
https://docs.anthropic.com/en/api/messages (content blocks).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping

from providers import shape
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject

EPHEMERAL = {"type": "ephemeral"}


def blocks(content: Json, at: str) -> list[JsonObject]:
    """Give the blocks of a message's `content`; `at` is its place in the body.

    Empty texts are left out, because Anthropic refuses them and they say nothing. Raises
    `RequestRejected` for a part that is malformed, `UnsupportedParameter` for audio.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list):
        raise shape.wrong(at, "a string or an array of parts", content)
    found = (_block(part, f"{at}[{index}]") for index, part in enumerate(content))
    return [block for block in found if block]


def _block(given: Json, at: str) -> JsonObject:
    part = shape.mapping(given, at)
    translate = _PARTS.get(shape.text(part.get("type"), f"{at}.type"))
    if translate is None:
        return part
    block = translate(part, at)
    if block and part.get("prompt_cache_breakpoint"):
        # OpenAI's mark at the end of a reusable prefix; the lifetime is Anthropic's own.
        block.setdefault("cache_control", EPHEMERAL)
    return block


def _carried(part: JsonObject, *translated: str) -> JsonObject:
    return {k: v for k, v in part.items() if k not in {"type", "prompt_cache_breakpoint", *translated}}


def _text(part: JsonObject, at: str) -> JsonObject:
    text = shape.text(part.get("text"), f"{at}.text")
    return {"type": "text", "text": text, **_carried(part, "text")} if text else {}


def _refusal(part: JsonObject, at: str) -> JsonObject:
    text = shape.text(part.get("refusal"), f"{at}.refusal")
    return {"type": "text", "text": text, **_carried(part, "refusal")} if text else {}


def _image(part: JsonObject, at: str) -> JsonObject:
    at = f"{at}.image_url"
    url = shape.text(shape.mapping(part.get("image_url"), at).get("url"), f"{at}.url")
    if url.startswith("data:"):
        media_type, data = _data_url(url, f"{at}.url")
        source = {"type": "base64", "media_type": _IMAGE_TYPES.get(media_type, media_type), "data": data}
    elif url.startswith(("https://", "http://")):
        source = {"type": "url", "url": url}
    else:
        raise RequestRejected(f"`{at}.url` must be an https: or a data: URL.", param=f"{at}.url")
    return {"type": "image", "source": source, **_carried(part, "image_url")}


def _file(part: JsonObject, at: str) -> JsonObject:
    at = f"{at}.file"
    file = shape.mapping(part.get("file"), at)
    if file.get("file_id") is not None:
        source = {"type": "file", "file_id": shape.text(file["file_id"], f"{at}.file_id")}
    else:
        source = _document_source(shape.text(file.get("file_data"), f"{at}.file_data"), f"{at}.file_data")
    block: JsonObject = {"type": "document", "source": source}
    if file.get("filename") is not None:
        block["title"] = shape.text(file["filename"], f"{at}.filename")
    return {**block, **_carried(part, "file")}


def _document_source(url: str, at: str) -> JsonObject:
    media_type, data = _data_url(url, at)
    if media_type == "application/pdf":
        return {"type": "base64", "media_type": media_type, "data": data}
    if media_type != "text/plain":
        raise UnsupportedParameter(
            f"`{at}` is {media_type or 'of no media type'}; Anthropic takes application/pdf and text/plain.",
            param=at,
        )
    try:
        text = base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise RequestRejected(f"`{at}` must hold UTF-8 text in base64.", param=at) from None
    return {"type": "text", "media_type": media_type, "data": text}


def _data_url(url: str, at: str) -> tuple[str, str]:
    header, comma, data = url.partition(",")
    scheme, _, details = header.partition(":")
    media_type, *parameters = details.split(";")
    if scheme != "data" or not comma or "base64" not in parameters:
        raise RequestRejected(f"`{at}` must look like data:<media type>;base64,<data>.", param=at)
    return media_type.strip().lower(), data


def _audio(_part: JsonObject, at: str) -> JsonObject:
    raise UnsupportedParameter(
        f"`{at}` is audio, which Anthropic cannot take. Send text, images or documents.", param=at
    )


_IMAGE_TYPES = {"image/jpg": "image/jpeg"}
"""Common misspellings that OpenAI takes."""

_PARTS: Mapping[str, Callable[[JsonObject, str], JsonObject]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "file": _file,
    "input_audio": _audio,
}
