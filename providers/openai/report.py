"""What an error body says, whatever its shape: OpenAI's object, strings, lists, `detail`, flat ones.

Shapes met: `{"error": {…}}` (OpenAI and most), `{"error": "text", "code": "text"}` (xAI), `{"error": "text"}`
(vLLM, Ollama), `{"object": "error", …}` (Mistral, older vLLM), `{"detail": "text" | [{…}]}` (Mistral, FastAPI),
`[{"error": {…}}]` (Google's compatibility endpoint), plain text, HTML.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from providers import waits
from providers.openai.wire import UNREADABLE, text_or_none, whole_number
from providers.types import Json, JsonObject


class Report(NamedTuple):
    """An error as a provider words it."""

    message: str | None = None
    type: str | None = None
    code: str | None = None
    param: str | None = None
    status: int | None = None
    """The HTTP status that the body repeats."""
    wait: float | None = None
    """Seconds."""
    signals: frozenset[str] = frozenset()
    """Every machine-readable word in it, in lower case."""


def from_bytes(body: bytes) -> Report:
    """Read the body of a non-2xx answer. Total."""
    try:
        return from_json(msgspec.json.decode(body))
    except UNREADABLE:
        text = body[:8_192].decode(errors="replace").strip()
        # A proxy's HTML page helps nobody.
        return Report() if text.startswith("<") else Report(message=text or None)


def from_json(value: Json) -> Report:
    """Read an error from a decoded body. Total."""
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    if isinstance(value, str):
        return Report(message=value or None)
    if not isinstance(value, dict):
        return Report()
    error = value.get("error")
    if isinstance(error, list):
        return from_json(error)
    if isinstance(error, dict):
        return _read(error)
    if isinstance(error, str) and error:
        return _read({**value, "message": error})
    return _read(value)


def is_error(value: Json) -> bool:
    """Whether a body or an event that came under a 200 reports an error."""
    if isinstance(value, list):
        return any(is_error(item) for item in value if isinstance(item, dict))
    if not isinstance(value, dict):
        return False
    groq = value.get("x_groq")
    return (
        bool(value.get("error"))
        or value.get("object") == "error"
        or (isinstance(groq, dict) and bool(groq.get("error")))
    )


def _read(error: JsonObject) -> Report:
    detail = _first_detail(error)
    status = next(
        (
            n
            for name in ("code", "status_code", "http_status")
            if (n := _http_status(error.get(name))) is not None
        ),
        None,
    )
    availability = _object(error.get("availability"))
    code = _code(error.get("code")) or text_or_none(detail.get("type"))
    type_ = text_or_none(error.get("type")) or text_or_none(error.get("error_type"))
    metadata = _object(error.get("metadata"))
    words = [code, type_, error.get("error_type"), availability.get("code"), detail.get("type")]
    if "flagged_input" in metadata:
        # OpenRouter's moderation has no code of its own, only this (openrouter.ai/docs, errors).
        words.append("content_policy_violation")
    if availability.get("retryable") is False:
        words.append("not_retryable")
    return Report(
        message=_message(error, detail),
        type=type_,
        code=code,
        param=text_or_none(error.get("param")) or _location(detail),
        status=status,
        wait=_wait(
            availability.get("retry_after"), metadata.get("retry_after_seconds"), metadata.get("retry_after")
        ),
        signals=frozenset(word.lower() for word in words if isinstance(word, str)),
    )


def _message(error: JsonObject, detail: JsonObject) -> str | None:
    words = text_or_none(detail.get("msg"))
    where = _location(detail)
    if words and where:
        words = f"{where}: {words}"
    return text_or_none(error.get("message")) or words or text_or_none(error.get("detail"))


def _first_detail(error: JsonObject) -> JsonObject:
    """Give the first of a validator's findings: `detail: [{type, loc, msg}]`, under `message` at Mistral."""
    for holder in (error, _object(error.get("message"))):
        found = holder.get("detail")
        if isinstance(found, list) and found:
            return _object(found[0])
    return {}


def _location(detail: JsonObject) -> str | None:
    where = detail.get("loc")
    if not isinstance(where, list) or not where:
        return None
    return ".".join(str(step) for step in where[:8] if step != "body" and isinstance(step, str | int)) or None


def _code(value: Json) -> str | None:
    """Give the code, unless it only repeats an HTTP status (OpenRouter, vLLM, llama.cpp)."""
    if isinstance(value, bool) or _http_status(value) is not None:
        return None
    return str(value) if isinstance(value, int) else text_or_none(value)


def _http_status(value: Json) -> int | None:
    number = (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3
        else value
    )
    number = whole_number(number)
    return number if number is not None and 400 <= number <= 599 else None


def _wait(*values: Json) -> float | None:
    for value in values:
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return float(min(value, waits.LONGEST))
    return None


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}
