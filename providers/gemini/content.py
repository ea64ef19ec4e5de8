"""Content: OpenAI's parts → Gemini's. Parts in Gemini's own shape, without a `type`, travel untouched.

Wire formats: https://platform.openai.com/docs/api-reference/chat/create (messages) and
https://ai.google.dev/api/caching#Part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from providers import shape
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject


def parts(content: Json, at: str) -> list[JsonObject]:
    """Give the parts of a message's `content`; `at` is its place in the body.

    Empty texts are left out, because Gemini refuses a turn of them and they say nothing. Raises
    `RequestRejected`, and `UnsupportedParameter` for what has no place.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [{"text": content}] if content else []
    if not isinstance(content, list):
        raise shape.wrong(at, "a string or an array of parts", content)
    found = (_part(part, f"{at}[{index}]") for index, part in enumerate(content))
    return [part for part in found if part]


def _part(given: Json, at: str) -> JsonObject:
    part = shape.mapping(given, at)
    if "type" not in part:
        return part
    kind = shape.text(part["type"], f"{at}.type")
    if kind not in _PARTS:
        raise UnsupportedParameter(
            f"`{at}` is of type {kind[:32]}; Gemini takes {', '.join(_PARTS)} and parts in its own shape.",
            param=f"{at}.type",
        )
    field, translate = _PARTS[kind]
    found = translate(part.get(field), f"{at}.{field}")
    known = {"type", "prompt_cache_breakpoint", field}
    return {**found, **{k: v for k, v in part.items() if k not in known}} if found else {}


def _text(value: Json, at: str) -> JsonObject:
    text = shape.text(value, at)
    return {"text": text} if text else {}


def _linked(value: Json, at: str) -> JsonObject:
    return _media(shape.mapping(value, at).get("url"), f"{at}.url")


def _audio(value: Json, at: str) -> JsonObject:
    audio = shape.mapping(value, at)
    kind = shape.text(audio.get("format"), f"{at}.format")
    return _inline(f"audio/{kind}", shape.text(audio.get("data"), f"{at}.data"))


def _file(value: Json, at: str) -> JsonObject:
    file = shape.mapping(value, at)
    if file.get("file_id") is not None:
        return _media(file["file_id"], f"{at}.file_id")
    return _inline(*shape.data_url(file.get("file_data"), f"{at}.file_data"))


def _media(value: Json, at: str) -> JsonObject:
    url = shape.text(value, at)
    if url.startswith("data:"):
        return _inline(*shape.data_url(url, at))
    if not url.startswith(("https://", "http://", "gs://")):
        raise RequestRejected(f"`{at}` must be an https:, gs: or data: URL.", param=at)
    kind = _kind_of(url)
    return {"fileData": {"mimeType": kind, "fileUri": url} if kind else {"fileUri": url}}


def _inline(media_type: str, data: str) -> JsonObject:
    return {"inlineData": {"mimeType": _MISSPELT.get(media_type, media_type), "data": data}}


def _kind_of(url: str) -> str | None:
    """Give the media type that an address ends in; Vertex wants one, and nobody asks the address here."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    return _ENDINGS.get(path.rpartition(".")[2].lower())


_MISSPELT = {"image/jpg": "image/jpeg", "audio/x-wav": "audio/wav"}
"""Common misspellings that OpenAI takes."""

_ENDINGS = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "csv": "text/csv",
    "html": "text/html",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mpeg": "video/mpeg",
}
"""Of https://ai.google.dev/gemini-api/docs/file-input-methods, the types with an ending of their own."""

_PARTS: Mapping[str, tuple[str, Callable[[Json, str], JsonObject]]] = {
    # OpenAI's type → its field, and what Gemini makes of that.
    "text": ("text", _text),
    "refusal": ("refusal", _text),
    "image_url": ("image_url", _linked),
    "video_url": ("video_url", _linked),
    "input_audio": ("input_audio", _audio),
    "file": ("file", _file),
}
