"""What becomes of a client's fields at each provider: the adapters are asked, with one request for each field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from providers.catalog import CATALOG
from providers.errors import RequestRejected
from providers.registry import adapter_for
from providers.types import Call, HttpRequest, Operation, Target
from tests.contract import recorded

Json = Any
MODELS = {"bedrock": "amazon.nova-lite-v1:0", "vertex": "gemini-2.5-flash"}
"""Where the dialect, or what it takes, depends on the model, and the catalogue has no example that is plain."""
TAKEN, ELSEWHERE, LEFT_OUT, REFUSED = "✓", "→", "○", "✗"

_WEATHER = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
_SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
_TOOLS = {"tools": [_WEATHER]}


def _says(part: Json) -> Json:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}, part]}]}


_HI = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}
FIELDS: dict[str, tuple[Json, Json]] = {
    # Field → a request, and what the field adds to it.
    "temperature": ({}, {"temperature": 0.5}),
    "top_p": ({}, {"top_p": 0.5}),
    "max_completion_tokens": ({}, {"max_completion_tokens": 9}),
    "max_tokens": ({}, {"max_tokens": 9}),
    "stop": ({}, {"stop": ["x"]}),
    "n: 2": ({}, {"n": 2}),
    "seed": ({}, {"seed": 1}),
    "frequency_penalty": ({}, {"frequency_penalty": 0.5}),
    "presence_penalty": ({}, {"presence_penalty": 0.5}),
    "logit_bias": ({}, {"logit_bias": {"1": 1}}),
    "logprobs": ({}, {"logprobs": True}),
    "top_logprobs": ({"logprobs": True}, {"top_logprobs": 2}),
    "response_format: json_object": ({}, {"response_format": {"type": "json_object"}}),
    "response_format: json_schema": (
        {},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": _SCHEMA}}},
    ),
    "tools": ({}, _TOOLS),
    "tool_choice: required": (_TOOLS, {"tool_choice": "required"}),
    "parallel_tool_calls: false": (_TOOLS, {"parallel_tool_calls": False}),
    "functions": ({}, {"functions": [_WEATHER["function"]]}),
    "reasoning_effort": ({}, {"reasoning_effort": "low"}),
    "verbosity": ({}, {"verbosity": "low"}),
    "web_search_options": ({}, {"web_search_options": {}}),
    "prediction": ({}, {"prediction": {"type": "content", "content": "x"}}),
    "modalities, audio": (
        {},
        {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    ),
    "service_tier": ({}, {"service_tier": "priority"}),
    "store": ({}, {"store": True}),
    "metadata": ({}, {"metadata": {"a": "b"}}),
    "user": ({}, {"user": "u"}),
    "safety_identifier": ({}, {"safety_identifier": "u"}),
    "prompt_cache_key": ({}, {"prompt_cache_key": "k"}),
    "a picture, as data": (
        _HI,
        _says({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}),
    ),
    "a picture, by URL": (_HI, _says({"type": "image_url", "image_url": {"url": "https://a.test/a.png"}})),
    "sound": (_HI, _says({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}})),
    "a file": (
        _HI,
        _says(
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
            }
        ),
    ),
    "`name` of a message": (
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"messages": [{"role": "user", "content": "Hi", "name": "jo"}]},
    ),
    "a field of the vendor's own": ({}, {"acme_mode": "x"}),
}
HEAD = f"""
## Fields of a chat

One request for each field was given to each provider's adapter: {TAKEN} travels as it is; {ELSEWHERE} travels in another
name, place or form; {LEFT_OUT} is left out, since no answer depends on it or the catalogue's `drop` names it; {REFUSED} is refused
with a 400 that names it, unless `drop` says otherwise. What a model of a provider does not take, that provider refuses itself.

"""


def section() -> str:
    """Give the part of `PROVIDERS.md` about fields."""
    targets = list(_targets())
    lines = [f"| | {' | '.join(f'`{name}`' for name, _ in targets)} |", f"|---|{':-:|' * len(targets)}"]
    for field, (before, added) in FIELDS.items():
        fates = (fate(target, before, added) for _, target in targets)
        lines.append(f"| {field} | {' | '.join(fates)} |")
    return HEAD + "\n".join(lines) + "\n\n" + "\n".join(_spellings(targets)) + "\n"


def _targets() -> Iterator[tuple[str, Target]]:
    for row in CATALOG.values():
        if Operation.CHAT not in row.operations or row.transport == "embedded":
            continue
        model = MODELS.get(row.name) or row.example.removeprefix(f"{row.name}/") or "some-model"
        yield row.name, replace(recorded.target(row.name), model=model)
        for dialect in sorted(set(row.dialects.values()) - {row.dialect}):
            yield f"{row.name}, {dialect}", replace(recorded.target(row.name), dialect=dialect, model=model)
    yield "vertex, Claude", replace(recorded.target("vertex"), model="claude-sonnet-4-5")
    yield "ollama, ollama", replace(recorded.target("ollama"), dialect="ollama", model="qwen3")


def fate(target: Target, before: Json, added: Json) -> str:
    """Say what becomes of what is added to a request."""
    plain, sent = _sent(target, before), _sent(target, {**before, **added})
    if plain is None or sent is None:
        return REFUSED
    if (plain.body, plain.headers) == (sent.body, sent.headers):
        return LEFT_OUT
    body = json.loads(sent.body)
    return TAKEN if all(body.get(name) == value for name, value in added.items()) else ELSEWHERE


def _sent(target: Target, fields: Json) -> HttpRequest | None:
    adapter = adapter_for(target.dialect, Operation.CHAT)
    assert adapter is not None
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    try:
        return adapter.build_request(Call(Operation.CHAT, "m", body, "abc"), target)
    except RequestRejected:
        return None


def _spellings(targets: list[tuple[str, Target]]) -> Iterator[str]:
    """Tell for each provider what becomes of the fields whose names it does not have."""
    yield "Where a field travels under another name:\n"
    for name, target in targets:
        said = [
            f"{field} → {', '.join(f'`{place}`' for place in places)}"
            for field, (before, added) in FIELDS.items()
            if "messages" not in added
            and fate(target, before, added) == ELSEWHERE
            and (places := _places(target, before, added))
        ]
        if said:
            yield f"- `{name}`: {'; '.join(said)}"


def _places(target: Target, before: Json, added: Json) -> list[str]:
    plain, sent = _sent(target, before), _sent(target, {**before, **added})
    assert plain is not None
    assert sent is not None
    mine = dict(_leaves(json.loads(plain.body)))
    theirs = _leaves(json.loads(sent.body))
    changed = [place for place, value in theirs if mine.get(place) != value]
    headers = [name for name, value in sent.headers if (name, value) not in plain.headers]
    return [
        place
        for place in dict.fromkeys((*changed, *headers))
        if place not in (*added, "messages", "contents")
    ]


def _leaves(value: Json, place: str = "", depth: int = 2) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict) and value and depth:
        for name, inner in value.items():
            yield from _leaves(inner, f"{place}.{name}" if place else name, depth - 1)
    else:
        yield place, value
