"""The options of `switchgear keys` as what a key carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import typer
from pydantic import ValidationError

from app.cli.times import read_expiry
from app.config.identities import KeySettings
from providers.types import Json


class Given(NamedTuple):
    """What stands on the command line; None where an option does not."""

    models: str | None
    expires: str | None
    user: str | None
    team: str | None
    plan: str | None
    priority: str | None
    regions: str | None
    roles: str | None
    limit: Sequence[str] | None
    budget: Sequence[str] | None
    metadata: Sequence[str] | None


_OPTIONS = {"limits": "--limit"}


def changes_of(given: Given, clear: Sequence[str] = ()) -> Mapping[str, Json]:
    """Read the options: setting → value, for those that are given or to be cleared. Raises `typer.BadParameter`."""
    if unknown := [name for name in clear if name not in KeySettings.model_fields]:
        raise typer.BadParameter(
            f"`{unknown[0]}` is none of {', '.join(KeySettings.model_fields)}", param_hint="--clear"
        )
    cleared = {name: getattr(KeySettings(), name) for name in clear}
    try:
        settings = KeySettings.model_validate(_raw(given))
    except ValidationError as error:
        first = error.errors()[0]
        hint = first.get("ctx", {}).get("hint")
        option = str(first["loc"][0])
        raise typer.BadParameter(
            f"{first['msg']}; {hint}" if hint else first["msg"],
            param_hint=_OPTIONS.get(option, f"--{option}"),
        ) from None
    return {**cleared, **{name: getattr(settings, name) for name in settings.model_fields_set}}


def _raw(given: Given) -> dict[str, Json]:
    texts = {name: getattr(given, name) for name in ("user", "team", "plan", "priority")}
    lists = {name: _list(getattr(given, name), f"--{name}") for name in ("models", "regions", "roles")}
    raw = {
        **texts,
        **lists,
        "expires": None if given.expires is None else _moment(given.expires),
        "limits": _pairs(given.limit, "--limit", "rpm=60"),
        "metadata": _pairs(given.metadata, "--metadata", "name=text"),
        "budget": None if given.budget is None else [_budget(text) for text in given.budget],
    }
    return {name: value for name, value in raw.items() if value is not None}


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(read_expiry(text), UTC)


def _list(text: str | None, option: str) -> list[str] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise typer.BadParameter(
            "a name is empty; write names or patterns with commas: fast,openai/*", param_hint=option
        )
    return parts


def _pairs(texts: Sequence[str] | None, option: str, example: str) -> dict[str, str] | None:
    if texts is None:
        return None
    parts = [text.partition("=") for text in texts]
    if wrong := [text for text, (name, sign, _) in zip(texts, parts, strict=True) if not (name and sign)]:
        raise typer.BadParameter(f"`{wrong[0]}` is not like {example}", param_hint=option)
    return {name: value for name, _, value in parts}


def _budget(text: str) -> dict[str, str]:
    amount, sign, per = text.partition("/")
    if not sign:
        raise typer.BadParameter(f"`{text}` is not like 10.00/day", param_hint="--budget")
    return {"amount": amount, "per": per}
