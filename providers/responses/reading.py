"""One answer, from its beginning to its end, whichever way it comes: what it says, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from providers.errors import MalformedResponse, ServerFault, UpstreamError
from providers.openai import errors
from providers.openai.wire import objects, text_or_none, whole_number
from providers.responses import usage
from providers.responses.outputs import ABOUT, READERS, Event, Item, Progress, Readers, Steps, text
from providers.types import Call, Json, JsonObject, Target, Usage

_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}
_DONE = ("completed", "incomplete", "requires_action")


class Ending(NamedTuple):
    """How an answer ended."""

    reason: str
    """A chat's `finish_reason`."""
    tokens: Usage | None
    usage: JsonObject | None
    """A chat's `usage`."""


class Reading:
    """Reads the items of one answer in order. Its own fields are those of every chunk."""

    readers: Readers = READERS

    def __init__(self, call: Call, target: Target) -> None:
        self._call = call
        self._target = target
        self._progress = Progress()
        self._open: dict[int, Item] = {}
        self._closed: set[int] = set()
        self.model: str | None = None
        """The model that the provider says has answered."""
        self._id = ""
        self._created: int | None = None
        self._tier: str | None = None

    def begin(self, response: JsonObject) -> None:
        """Learn what is said of the answer as a whole."""
        self._id = text_or_none(response.get("id")) or self._id
        self.model = text_or_none(response.get("model")) or self.model
        created = whole_number(response.get("created_at"))
        self._created = self._created if created is None else created
        self._tier = text_or_none(response.get("service_tier")) or self._tier

    def added(self, index: int, item: JsonObject) -> Steps:
        """Open an item. Raises `MalformedResponse`."""
        reader = self._open[index] = self.readers.get(text(item, "type"), Item)(self._progress)
        return reader.open(item)

    def take(self, event: Event) -> Steps:
        """Give an event to its item, opening one whose beginning was not told. Raises `MalformedResponse`."""
        if event.output_index not in self._open:
            yield from self.added(event.output_index, {"type": ABOUT[event.type]})
        yield from self._open[event.output_index].take(event)

    def done(self, index: int, item: JsonObject) -> Steps:
        """Close an item, once. Raises `MalformedResponse`."""
        if index in self._closed:
            return
        self._closed.add(index)
        if index not in self._open:
            self._open[index] = self.readers.get(text(item, "type"), Item)(self._progress)
        yield from self._open[index].close(item)

    def rest(self, response: JsonObject) -> Steps:
        """Close whatever item of the whole answer is still open or was never told. Raises `MalformedResponse`."""
        for index, item in enumerate(objects(response.get("output"), "the output")):
            yield from self.done(index, item)

    def end(self, response: JsonObject) -> Ending:
        """Say how it ended. Raises the error that it reports, `MalformedResponse` where it has not ended."""
        self.begin(response)
        status = response.get("status")
        if response.get("error") or status not in _DONE:
            raise failure(response)
        tokens = usage.read(response.get("usage"))
        counts = None if tokens is None else usage.as_chat(response.get("usage"), tokens)
        return Ending(self._reason(response, tokens), tokens, counts)

    def _reason(self, response: JsonObject, tokens: Usage | None) -> str:  # noqa: ARG002 - others look at the tokens
        if response["status"] == "incomplete":
            why = response.get("incomplete_details")
            why = why.get("reason") if isinstance(why, Mapping) else None
            # Whatever cut it short, it is not whole.
            return _REASONS.get(str(why), "length")
        return "tool_calls" if self._progress.calls else "stop"

    def envelope(self, kind: str) -> JsonObject:
        """Give the fields that every object of the answer has, `kind` among them."""
        return {
            "id": self._id or f"chatcmpl-{self._call.id}",
            "object": kind,
            "created": self._call.created if self._created is None else self._created,
            "model": self.model or self._target.model,
        }

    def hear(self, kind: str, data: bytes) -> None:
        """Take an event that is about no item. Those that are not known say nothing. Raises `ValueError`."""

    def news(self) -> JsonObject:
        """Give fields beside a chunk's that have come to be known since they were last asked for."""
        return {}

    def extras(self) -> JsonObject:
        """Give the fields beside those of every chat, at the end."""
        return {} if self._tier is None else {"service_tier": self._tier}


def failure(response: Json) -> UpstreamError:
    """Give the error that a response reports: as an event, in its `error`, or by its status. Total."""
    report = response if isinstance(response, Mapping) else {}
    if report.get("error"):
        return errors.under_success({"error": report["error"]})
    if report.get("status") in ("failed", "cancelled"):
        return ServerFault(f"The provider's answer was {report['status']}.")
    return MalformedResponse("The answer is not a finished response.")
