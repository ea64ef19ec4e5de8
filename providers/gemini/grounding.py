"""Where an answer comes from: Gemini's grounding → OpenAI's annotations.

Wire format: https://ai.google.dev/gemini-api/docs/google-search. Gemini counts in UTF-8 bytes, OpenAI
in characters.
"""

from __future__ import annotations

import msgspec

from providers.gemini.wire import Count
from providers.types import JsonObject


class _Struct(msgspec.Struct, frozen=True, rename="camel"):
    pass


class _Web(_Struct, frozen=True):
    uri: str = ""
    title: str = ""


class _Chunk(_Struct, frozen=True):
    web: _Web | None = None


class _Segment(_Struct, frozen=True):
    start_index: Count = 0
    end_index: Count = 0


class _Support(_Struct, frozen=True):
    segment: _Segment = _Segment()
    grounding_chunk_indices: list[Count] = []


class _Grounding(_Struct, frozen=True):
    grounding_chunks: list[_Chunk] = []
    grounding_supports: list[_Support] = []


def citations(metadata: JsonObject, text: str) -> list[JsonObject]:
    """Give a citation for each page that supports a part of the text, none where they cannot be read. Total."""
    try:
        grounding = msgspec.convert(metadata, _Grounding)
    except ValueError:
        # The answer is whole without them, and the client gets the metadata as they are.
        return []
    written = text.encode()
    found = []
    for support in grounding.grounding_supports:
        span = {
            "start_index": _characters(written, support.segment.start_index),
            "end_index": _characters(written, support.segment.end_index),
        }
        for place in support.grounding_chunk_indices:
            web = grounding.grounding_chunks[place].web if place < len(grounding.grounding_chunks) else None
            if web is not None:
                found.append({**span, "url": web.uri, "title": web.title})
    return [
        {"index": index, "type": "url_citation", "url_citation": cited} for index, cited in enumerate(found)
    ]


def _characters(written: bytes, end: int) -> int:
    return len(written[:end].decode(errors="ignore"))
