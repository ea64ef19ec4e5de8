"""A provider's list of its models: the request for it, and what it says of each.

It is the smallest question that shows whether a provider answers and takes its credential, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from providers.errors import MalformedResponse
from providers.facts import ModelFacts
from providers.types import HttpRequest, Json, JsonObject, Secret, Target

MOST = 2_000
"""Models of one provider that are looked at. The longest list known has some 900."""
LONGEST_NAME = 256
"""Characters. No model has a longer name."""

_UNDER = ("data", "models", "modelSummaries", "publisherModels")
"""Names under which vendors give the list itself."""

Models = Mapping[str, ModelFacts]
"""By the name that the provider gives each."""
Item = Callable[[JsonObject], tuple[Json, ModelFacts]]
"""Reads one item of a list: the model's name, and what is said of it. Total."""


def bearer(key: Secret) -> Mapping[str, str]:
    """Give the header of most vendors."""
    return {"authorization": f"Bearer {key.reveal()}"}


def behind(path: str) -> Callable[[Target], str]:
    """Give the function that puts a path behind the base URL."""
    return lambda target: target.base_url + path


@dataclass(frozen=True, slots=True)
class Listing:
    """How a dialect lists models."""

    url: Callable[[Target], str]
    """Where it is."""
    item: Item
    headers: Mapping[str, str] = field(default_factory=dict)
    authorize: Callable[[Secret], Mapping[str, str]] = bearer
    names: bool = True
    """Whether calls name models as it does. Where not, it shows only that the provider answers."""
    complete: bool = True
    """Whether there is no model that it does not name."""

    def request(self, target: Target) -> HttpRequest:
        """Ask for the list; the target's `model` has no part in it."""
        headers = {"accept": "application/json", "accept-encoding": "identity", **self.headers}
        if target.credential:
            headers |= self.authorize(target.credential)
        headers |= {name.lower(): value for name, value in target.headers.items()}
        return HttpRequest("GET", self.url(target), tuple(headers.items()))

    def parse(self, body: bytes) -> Models:
        """Read a 2xx body: a list, or an object that holds one. Raises `MalformedResponse`."""
        try:
            value = msgspec.json.decode(body)
        except (ValueError, RecursionError):
            raise MalformedResponse("The list of models is not JSON.") from None
        if isinstance(value, dict):
            value = next((value[name] for name in _UNDER if name in value), None)
        if not isinstance(value, list):
            raise MalformedResponse("What should list the models holds no list.")
        read = (self.item(each) for each in value[:MOST] if isinstance(each, dict))
        return {name: facts for name, facts in read if _is_name(name)}


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def count(item: JsonObject, *paths: str) -> int | None:
    """Give the first count that stands under one of these names, with dots between the steps."""
    found = (_at(item, path) for path in paths)
    return next(
        (value for value in found if isinstance(value, int) and not isinstance(value, bool) and value > 0),
        None,
    )


def words(item: JsonObject, *paths: str) -> frozenset[str] | None:
    """Give the first list of words that stands under one of these names."""
    lists = (value for path in paths if isinstance(value := _at(item, path), list))
    return next((frozenset(word for word in each if isinstance(word, str)) for each in lists), None)


def switches(item: JsonObject, names: Mapping[str, str]) -> dict[str, bool]:
    """Give which of these are said to be so or not so: path → the word for it."""
    found = ((word, _at(item, path)) for path, word in names.items())
    return {word: value for word, value in found if isinstance(value, bool)}


def pictures(*, sees: bool | None) -> frozenset[str] | None:
    """Give what a model takes of which is known whether it sees."""
    if sees is None:
        return None
    return frozenset({"text", "image"}) if sees else frozenset({"text"})


def _at(item: JsonObject, path: str) -> Json:
    value: Json = item
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
