"""What an answer rests on: the pages that its searches have found, as `citations` and `search_results` beside it.

So Sonar's chat completions told them. In a stream they are told with the first delta after they have
come, and once more at the end. Wire format: https://docs.perplexity.ai/api-reference/agent-post.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from providers.openai.wire import objects, text_or_none
from providers.responses.outputs import Steps
from providers.responses.reading import Reading
from providers.responses.settings import output_cap
from providers.types import Call, Json, JsonObject, Target, Usage


class _Found(msgspec.Struct):
    results: list[JsonObject]


_found = msgspec.json.Decoder(_Found)


class AgentReading(Reading):
    """Reads one answer of an agent."""

    _FOUND: ClassVar[str] = "response.reasoning.search_results"

    def __init__(self, call: Call, target: Target) -> None:
        super().__init__(call, target)
        self._cap = output_cap({name: value for name, value in call.body.items() if name not in target.drop})
        self._results: list[JsonObject] = []
        self._news = False

    def hear(self, kind: str, data: bytes) -> None:
        """Learn what a search has found while the model works. Raises `ValueError`."""
        if kind == self._FOUND:
            self._learn(_found.decode(data).results)

    def done(self, index: int, item: JsonObject) -> Steps:
        """Close an item; search results go beside the answer. Raises `MalformedResponse`."""
        if item.get("type") == "search_results":
            self._learn(item.get("results"))
            return iter(())
        return super().done(index, item)

    def news(self) -> JsonObject:
        """Give the sources, where there are new ones."""
        told = self._sources() if self._news else {}
        self._news = False
        return told

    def extras(self) -> JsonObject:
        """Give the sources beside what every answer has."""
        return {**super().extras(), **self._sources()}

    def _learn(self, results: Json) -> None:
        for result in objects(results, "the search results"):
            # They are told as progress, as an item and in the whole answer.
            if result not in self._results:
                self._results.append(result)
                self._news = True

    def _sources(self) -> JsonObject:
        if not self._results:
            return {}
        urls = (text_or_none(result.get("url")) for result in self._results)
        return {"citations": [*dict.fromkeys(filter(None, urls))], "search_results": [*self._results]}

    def _reason(self, response: JsonObject, tokens: Usage | None) -> str:
        reason = super()._reason(response, tokens)
        # It has no word for an answer that was cut short, which only its length shows.
        full = self._cap is not None and tokens is not None and tokens.output_tokens >= self._cap
        return "length" if reason == "stop" and full else reason
