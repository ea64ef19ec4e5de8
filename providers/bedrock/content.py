"""Content: OpenAI's parts → Converse's blocks. Blocks in Converse's own shape travel untouched.

Wire format: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from providers import shape
from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import Json, JsonObject

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9\s()\[\]-]+|\s{2,}")
"""What a document's name must not hold (API_runtime_DocumentBlock)."""

_IMAGES = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}


def blocks(content: Json, at: str) -> list[JsonObject]:
    """Give the blocks of a message's `content`; `at` is its place in the body.

    Blank texts are left out, because Bedrock refuses them and they say nothing. Raises `RequestRejected`
    for a part that is malformed, `UnsupportedParameter` for one that Bedrock has no place for.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return _said(content)
    if not isinstance(content, list):
        raise shape.wrong(at, "a string or an array of parts", content)
    return [block for index, part in enumerate(content) for block in _blocks(part, f"{at}[{index}]")]


def cache_point(marked: JsonObject) -> list[JsonObject]:
    """Give the mark of a reusable prefix where one ends with this part, message or tool."""
    mark = marked.get("cache_control")
    if isinstance(mark, dict):
        ttl = {"ttl": mark["ttl"]} if mark.get("ttl") else {}
        return [{"cachePoint": {"type": "default", **ttl}}]
    return [{"cachePoint": {"type": "default"}}] if marked.get("prompt_cache_breakpoint") else []


def _blocks(given: Json, at: str) -> list[JsonObject]:
    part = shape.mapping(given, at)
    if "type" not in part:
        return [part]
    kind = shape.text(part["type"], f"{at}.type")
    if kind not in _PARTS:
        raise UnsupportedParameter(
            f"`{at}` is of a type that Bedrock cannot take; it takes {', '.join(_PARTS)}.", param=at
        )
    found = _PARTS[kind](part, at)
    return [*found, *cache_point(part)] if found else []


def _said(text: str) -> list[JsonObject]:
    return [{"text": text}] if text.strip() else []


def _text(part: JsonObject, at: str) -> list[JsonObject]:
    return _said(shape.text(part.get("text"), f"{at}.text"))


def _refusal(part: JsonObject, at: str) -> list[JsonObject]:
    return _said(shape.text(part.get("refusal"), f"{at}.refusal"))


def _image(part: JsonObject, at: str) -> list[JsonObject]:
    at = f"{at}.image_url.url"
    url = shape.text(shape.mapping(part.get("image_url"), at.removesuffix(".url")).get("url"), at)
    if url.startswith("s3://"):
        kind = url.rpartition(".")[2].lower()
        return [
            {"image": {"format": _IMAGES.get(f"image/{kind}", "png"), "source": {"s3Location": {"uri": url}}}}
        ]
    if url.startswith(("https://", "http://")):
        raise UnsupportedParameter(
            f"`{at}` is an address, and Bedrock fetches none. Send the image itself, as data:…;base64,….",
            param=at,
        )
    media_type, data = _data_url(url, at)
    return [{"image": {"format": _format(media_type, _IMAGES, at), "source": {"bytes": data}}}]


def _file(part: JsonObject, at: str) -> list[JsonObject]:
    at = f"{at}.file"
    file = shape.mapping(part.get("file"), at)
    if file.get("file_id") is not None:
        raise UnsupportedParameter(
            f"`{at}.file_id` is a file at OpenAI. Send the file itself, as `file_data`.",
            param=f"{at}.file_id",
        )
    media_type, data = _data_url(shape.text(file.get("file_data"), f"{at}.file_data"), f"{at}.file_data")
    named = shape.text(file.get("filename") or "document", f"{at}.filename").rpartition("/")[2]
    name = _NOT_IN_NAMES.sub(" ", named.rpartition(".")[0] or named).strip() or "document"
    kind = _format(media_type, _DOCUMENTS, f"{at}.file_data")
    return [{"document": {"format": kind, "name": name[:200], "source": {"bytes": data}}}]


def _audio(part: JsonObject, at: str) -> list[JsonObject]:
    at = f"{at}.input_audio"
    audio = shape.mapping(part.get("input_audio"), at)
    source = {"bytes": shape.text(audio.get("data"), f"{at}.data")}
    return [{"audio": {"format": shape.text(audio.get("format"), f"{at}.format"), "source": source}}]


def _format(media_type: str, known: Mapping[str, str], at: str) -> str:
    if media_type in known:
        return known[media_type]
    raise UnsupportedParameter(
        f"`{at}` is {media_type or 'of no media type'}; Bedrock takes {', '.join(known)}.", param=at
    )


def _data_url(url: str, at: str) -> tuple[str, str]:
    header, comma, data = url.partition(",")
    scheme, _, details = header.partition(":")
    media_type, *parameters = details.split(";")
    if scheme != "data" or not comma or "base64" not in parameters:
        raise RequestRejected(f"`{at}` must look like data:<media type>;base64,<data>.", param=at)
    return media_type.strip().lower(), data


_PARTS: Mapping[str, Callable[[JsonObject, str], list[JsonObject]]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "file": _file,
    "input_audio": _audio,
}
