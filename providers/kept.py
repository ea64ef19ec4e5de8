"""What an answer holds and a chat has no place for: `output_items` of its message, each with its place there.

An entry is `{"after_text", "after_calls", "item"}`: whether text came before the item, and how many calls of tools.
The item is the provider's own, and goes back to it as it came; `dialect` says whose it is, where that is not the
Responses API.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from providers import shape
from providers.echoed import OUTPUT_ITEMS
from providers.types import JsonObject

RESPONSES = "responses"


@dataclass(frozen=True, slots=True)
class Kept:
    """One item, and where it stood."""

    item: JsonObject
    after_text: bool
    after_calls: int


def read(message: JsonObject, at: str, dialect: str) -> list[Kept]:
    """Give the items of this dialect that a message has brought back. Raises `RequestRejected`."""
    found = []
    for index, given in enumerate(shape.listing(message.get(OUTPUT_ITEMS) or [], f"{at}.{OUTPUT_ITEMS}")):
        place = f"{at}.{OUTPUT_ITEMS}[{index}]"
        entry = shape.mapping(given, place)
        calls = entry.get("after_calls", 0)
        if not isinstance(calls, int) or isinstance(calls, bool) or calls < 0:
            raise shape.wrong(f"{place}.after_calls", "a whole number", calls)
        if entry.get("dialect", RESPONSES) == dialect:
            item = shape.mapping(entry.get("item"), f"{place}.item")
            found.append(Kept(item, entry.get("after_text") is True, calls))
    return found


def woven(
    kept: Sequence[Kept], said: Sequence[JsonObject], calls: Sequence[JsonObject]
) -> Iterator[JsonObject]:
    """Give all in order. Items behind a call that the client has taken out stand where it was."""
    yield from (each.item for each in kept if not each.after_text and not each.after_calls)
    yield from said
    behind = [each for each in kept if each.after_text or each.after_calls]
    for count in range(len(calls) + 1):
        yield from (each.item for each in behind if min(each.after_calls, len(calls)) == count)
        yield from calls[count : count + 1]
