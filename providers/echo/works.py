"""What the embedded provider makes besides words: pictures, sound, videos, scores. Pure, and always the same for the same."""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence

from providers.types import Json, JsonObject

CATEGORIES = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent"),
    *("self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors"),
    *("violence", "violence/graphic"),
)
"""Of moderations (https://platform.openai.com/docs/guides/moderation)."""
RATE = 8_000
"""Samples of sound a second, a byte each."""
_WORD = re.compile(r"\w+")


def png(text: str) -> bytes:
    """Give a picture of one point, in a colour that the text decides."""
    colour = hashlib.sha256(text.encode(errors="replace")).digest()[:3]
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    blocks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" + colour)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_block(kind, data) for kind, data in blocks)


def base64_png(text: str) -> str:
    """Give it in base64."""
    return b64encode(png(text)).decode()


def wav(text: str) -> bytes:
    """Give a hundredth of a second of sound for each character, as a WAV file."""
    samples = b"".join(bytes([ord(c) % 256]) * (RATE // 100) for c in text)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE, 1, 8)
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + len(samples), b"WAVE")
        + form
        + struct.pack("<4sI", b"data", len(samples))
        + samples
    )


def ranked(query: str, documents: Sequence[str], top: int | None) -> list[JsonObject]:
    """Rank documents by the share of the query's words that is in them."""
    wanted = set(_words(query))
    scores = [len(wanted & set(_words(text))) / max(1, len(wanted)) for text in documents]
    order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    return [{"index": index, "relevance_score": scores[index]} for index in order[:top]]


def judged(text: str) -> JsonObject:
    """Flag the categories whose name is among the words."""
    words = set(_words(text))
    found = {name: set(_words(name)) <= words for name in CATEGORIES}
    return {
        "flagged": any(found.values()),
        "categories": found,
        "category_scores": {name: float(yes) for name, yes in found.items()},
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }


def video(name: str, model: str, seconds: Json, created: int = 0) -> JsonObject:
    """Give a video that is completed at once."""
    return {
        "id": name,
        "object": "video",
        "model": model,
        "status": "completed",
        "progress": 100,
        "created_at": created,
        "completed_at": created,
        "expires_at": None,
        "size": "720x1280",
        "seconds": str(seconds or 4),
        "error": None,
    }


def _block(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
