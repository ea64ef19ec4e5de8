"""How long a target is waited for before another is tried beside it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from app.config.scalars import DURATION_SCHEMA, duration, duration_text, refuse


def after(value: object) -> object:
    """Read `p95`, or a duration that is longer than nothing."""
    if value == "p95":
        return value
    seconds = duration(value)
    if isinstance(seconds, int | float) and seconds <= 0:
        refuse("a hedge after no time is a second call at once", "write `p95`, or a duration such as `2s`")
    return seconds


def after_text(value: float | str) -> str:
    """Write it as it is configured."""
    return value if isinstance(value, str) else duration_text(value)


After = Annotated[
    float | Literal["p95"],
    BeforeValidator(after),
    PlainSerializer(after_text, return_type=str, when_used="json"),
    WithJsonSchema({"anyOf": [{"const": "p95"}, DURATION_SCHEMA]}),
]
