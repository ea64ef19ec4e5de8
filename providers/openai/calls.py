"""Tool calls as they stream: pieces, spelled in many ways → OpenAI's pieces.

Clients join the pieces by `index` and concatenate their texts, so each call's `id`, `type` and name must
come once, and the indices must count from 0 without a gap.
"""

from __future__ import annotations

from dataclasses import dataclass

from providers.openai.message import arguments, call_type
from providers.openai.wire import text_or_none, whole_number
from providers.types import Json, JsonObject


@dataclass(slots=True)
class _Known:
    index: int
    id: str
    id_given: bool
    named: bool = False


class ToolCalls:
    """The tool calls of one choice of one stream."""

    def __init__(self, spare_id: str) -> None:
        self._spare_id = spare_id
        self._by_index: dict[int, _Known] = {}
        self._by_id: dict[str, _Known] = {}
        self._last: _Known | None = None
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def clean(self, piece: JsonObject) -> JsonObject:
        """Give one piece as OpenAI would send it."""
        known = self._find(piece)
        if known is None:
            known = self._add(piece)
            clean = {**piece, "index": known.index, "id": known.id, "type": call_type(piece)}
        else:
            kept = {name: value for name, value in piece.items() if name not in {"index", "id", "type"}}
            clean = {"index": known.index, **kept}
        self._last = known
        if "function" in clean:
            clean["function"] = _function(clean["function"], known)
        return clean

    def _find(self, piece: JsonObject) -> _Known | None:
        given = text_or_none(piece.get("id"))
        index = whole_number(piece.get("index"))
        at_index = None if index is None else self._by_index.get(index)
        if given is not None:
            # Another id is another call, even where a server numbers all of them 0.
            same = self._by_id.get(given)
            return at_index if same is None and at_index is not None and not at_index.id_given else same
        if index is not None:
            return at_index
        # No id and no index: more of the last call, unless it is named, which only beginnings are.
        function = piece.get("function")
        named = isinstance(function, dict) and bool(function.get("name"))
        return None if named else self._last

    def _add(self, piece: JsonObject) -> _Known:
        given = text_or_none(piece.get("id"))
        index = whole_number(piece.get("index"))
        known = _Known(self._count, given or f"{self._spare_id}_{self._count}", given is not None)
        self._by_id[known.id] = known
        self._by_index[self._count if index is None else index] = known
        self._count += 1
        return known


def _function(value: Json, known: _Known) -> Json:
    if not isinstance(value, dict):
        return {"arguments": ""}
    clean: JsonObject = {key: item for key, item in value.items() if key not in {"name", "arguments"}}
    name = text_or_none(value.get("name"))
    if name is not None and not known.named:
        known.named = True
        clean["name"] = name
    clean["arguments"] = arguments(value.get("arguments")) or ""
    return clean
