"""What is the same in all dialects that put a request together anew: its fields as given, and how it leaves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec

from providers.errors import RequestRejected, UnsupportedParameter
from providers.types import HttpRequest, Json, JsonObject, Target

Neutral = Callable[[Json], bool]
"""Whether a value of a field asks for nothing."""


def given(body: Mapping[str, Json], target: Target, known: Collection[str]) -> JsonObject:
    """Give the fields with the target's names and without its drops; a null in a `known` field says nothing.

    Raises `RequestRejected` where two names mean one field and their values differ.
    """
    fields: JsonObject = {}
    for name, value in body.items():
        theirs = target.rename.get(name, name)
        if name in target.drop or (value is None and theirs in known):
            continue
        if fields.get(theirs, value) != value:
            raise twice(theirs)
        fields[theirs] = value
    return fields


def refuse(fields: JsonObject, refused: Mapping[str, Neutral], vendor: str) -> None:
    """Raise `UnsupportedParameter` for the first field that asks for what the vendor has no place for."""
    for name, is_neutral in refused.items():
        if name in fields and not is_neutral(fields[name]):
            raise unsupported(name, vendor)


def unsupported(name: str, vendor: str, instead: str = "") -> UnsupportedParameter:
    """Give the refusal of a field; `instead` says what would be right."""
    return UnsupportedParameter(
        f"{vendor} cannot take this `{name}`. {instead}"
        f"To send requests without it, put `drop: [{name.partition('.')[0]}]` on the provider.",
        param=name,
    )


def twice(name: str) -> RequestRejected:
    """Give the refusal of a field that contradicts itself."""
    return RequestRejected(f"`{name}` is given twice, with different values. Give it once.", param=name)


def most_tokens(fields: JsonObject) -> int | None:
    """Give the cap on the answer, whichever of OpenAI's two names it has. Raises `RequestRejected`."""
    caps = {name: fields[name] for name in ("max_completion_tokens", "max_tokens") if name in fields}
    for name, value in caps.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise RequestRejected(f"`{name}` must be a whole number of tokens.", param=name)
    if len(set(caps.values())) > 1:
        raise twice("max_tokens")
    return next(iter(caps.values()), None)


def post(target: Target, path: str, body: JsonObject, *, accept: str = "application/json") -> HttpRequest:
    """Render a POST with a bearer key. Raises `RequestRejected` for a body that JSON cannot hold."""
    headers = {
        "content-type": "application/json",
        "accept": accept,
        # What is compressed stalls streams.
        "accept-encoding": "identity",
    }
    if target.credential:
        headers["authorization"] = f"Bearer {target.credential.reveal()}"
    headers |= {name.lower(): value for name, value in target.headers.items()}
    return HttpRequest("POST", target.base_url + path, tuple(headers.items()), _encoded(body))


def _encoded(body: JsonObject) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        raise RequestRejected(
            "The request holds half a surrogate pair, which is not valid Unicode."
        ) from None
    except (RecursionError, ValueError):
        raise RequestRejected(
            "The request is nested too deeply or holds numbers too large to pass on."
        ) from None
