"""Talk with tools, of any shape, through every dialect and back: ids, order, names and arguments stay what they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from providers.catalog import CATALOG
from providers.registry import DIALECTS, adapter_for
from providers.types import Call, Operation, Target
from tests.contract import recorded
from tests.contract.recorded import CREATED, OK

Json = Any
Results = Iterable[tuple[str, str]]


class Wire(NamedTuple):
    """How a dialect has talk with tools in a request, and an answer that says what a turn of it said."""

    turns: Callable[[Json], list[Json]]
    results: Callable[[Json], Results]
    answer: Callable[[Json], Json]


def _of_role(role: str, under: str = "messages") -> Callable[[Json], list[Json]]:
    return lambda body: [each for each in body[under] if each["role"] == role]


def _texts(content: Json) -> str:
    parts = content if isinstance(content, list) else [content]
    return "".join(part if isinstance(part, str) else part["text"] for part in parts)


def _tool_messages(body: Json) -> Results:
    return [
        (each["tool_call_id"], _texts(each["content"])) for each in body["messages"] if each["role"] == "tool"
    ]


def _blocks(kind: str, id: str) -> Callable[[Json], Results]:
    def results(body: Json) -> Iterator[tuple[str, str]]:
        for message in body["messages"]:
            for block in message["content"] if isinstance(message["content"], list) else ():
                told = block if block.get("type") == kind else block.get(kind)
                if told is not None:
                    yield told[id], _texts(told.get("content", ""))

    return results


def _gemini_results(body: Json) -> Iterator[tuple[str, str]]:
    for content in body["contents"]:
        for part in content["parts"]:
            if told := part.get("functionResponse"):
                yield told["id"], next(iter(told["response"].values()))


def _items(kind: str, body: Json) -> list[Json]:
    runs = groupby(body["input"], key=lambda item: item.get("type"))
    return [list(run) for each, run in runs if each == kind]


OPENAI = Wire(
    _of_role("assistant"),
    _tool_messages,
    lambda turn: {"choices": [{"index": 0, "message": turn, "finish_reason": "tool_calls"}]},
)
ANTHROPIC = Wire(
    _of_role("assistant"),
    _blocks("tool_result", "tool_use_id"),
    lambda turn: {
        "type": "message",
        "id": "a",
        **turn,
        "model": "m",
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
)
GEMINI = Wire(
    _of_role("model", "contents"),
    _gemini_results,
    lambda turn: {"candidates": [{"content": turn, "finishReason": "STOP"}]},
)
RESPONSES = Wire(
    lambda body: _items("function_call", body),
    lambda body: [
        (item["call_id"], _texts(item["output"]))
        for run in _items("function_call_output", body)
        for item in run
    ],
    lambda turn: {"status": "completed", "output": turn},
)
WIRES = {
    "openai": OPENAI,
    "azure": OPENAI,
    "blackbox": OPENAI,
    "mistral": OPENAI,
    "openrouter": OPENAI,
    "responses": RESPONSES,
    "perplexity": RESPONSES,
    "anthropic": ANTHROPIC,
    "vertex": GEMINI,
    "gemini": GEMINI,
    "bedrock": Wire(
        _of_role("assistant"),
        _blocks("toolResult", "toolUseId"),
        lambda turn: {"output": {"message": turn}, "stopReason": "tool_use", "usage": {}},
    ),
    "cohere": Wire(
        _of_role("assistant"),
        _tool_messages,
        lambda turn: {"id": "a", "finish_reason": "TOOL_CALL", "message": turn},
    ),
    "ollama": Wire(
        _of_role("assistant"),
        _tool_messages,
        lambda turn: {"model": "m", "message": turn, "done": True, "done_reason": "stop"},
    ),
}
CASES: list[tuple[Target, Wire]] = [
    *((recorded.target(row.name), WIRES[row.dialect]) for row in CATALOG.values() if row.dialect != "echo"),
    (replace(recorded.target("vertex"), model="claude-sonnet-4-5"), ANTHROPIC),
    (replace(recorded.target("openai"), dialect="responses"), RESPONSES),
    (replace(recorded.target("ollama"), dialect="ollama"), WIRES["ollama"]),
]

VALUES = (
    st.text(max_size=5) | st.integers(-99, 99) | st.booleans() | st.lists(st.text(max_size=2), max_size=2)
)
CALLS = st.lists(
    st.tuples(
        st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,8}", fullmatch=True),
        st.dictionaries(st.text(max_size=4), VALUES, max_size=3),
        # A blank text is none to some providers.
        st.text(max_size=6).map(lambda text: f"={text}"),
    ),
    min_size=1,
    max_size=3,
)
TALK = st.lists(st.tuples(st.none() | st.just("So."), CALLS, st.booleans()), min_size=1, max_size=3)


def _asked(talk: Json) -> Json:
    messages: list[Json] = [{"role": "user", "content": "Go."}]
    for number, (said, calls, backwards) in enumerate(talk):
        made = [
            {
                "id": f"call_{number}_{n}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(args)},
            }
            for n, (name, args, _) in enumerate(calls)
        ]
        results = [
            {"role": "tool", "tool_call_id": each["id"], "content": result}
            for each, (_, _, result) in zip(made, calls, strict=True)
        ]
        messages.append({"role": "assistant", "content": said, "tool_calls": made})
        messages += results[::-1] if backwards else results
    names = dict.fromkeys(name for _, calls, _ in talk for name, _, _ in calls)
    schema = {"type": "object", "properties": {}}
    tools = [{"type": "function", "function": {"name": name, "parameters": schema}} for name in names]
    return {"model": "public", "messages": messages, "tools": tools}


def _read(calls: Json) -> list[tuple[str, str, Json]]:
    return [(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls]


def test_every_dialect_is_held_to_it() -> None:
    assert {target.dialect for target, _ in CASES} == {
        name for name, each in DIALECTS.items() if Operation.CHAT in each.adapters and name != "echo"
    }


@given(TALK)
def test_tool_talk_of_any_shape_comes_back_as_it_went(talk: Json) -> None:
    body = _asked(talk)
    turns = [each["tool_calls"] for each in body["messages"] if each["role"] == "assistant"]
    given_results = {
        each["tool_call_id"]: each["content"] for each in body["messages"] if each["role"] == "tool"
    }
    for target, wire in CASES:
        call = Call(Operation.CHAT, "public", body, "abc", CREATED)
        adapter = adapter_for(target.dialect, Operation.CHAT)
        assert adapter is not None
        sent = json.loads(adapter.build_request(call, target).body)
        back = []
        for turn in wire.turns(sent):
            reply = adapter.parse_response(call, target, OK, json.dumps(wire.answer(turn)).encode())
            back.append(_read(json.loads(reply.body)["choices"][0]["message"]["tool_calls"]))
        case = f"{target.provider} in {target.dialect}"
        results = list(wire.results(sent))
        assert [[each[1:] for each in turn] for turn in back] == [
            [each[1:] for each in _read(turn)] for turn in turns
        ], case
        # Some providers take ids of their own form only: each is still the same wherever it stands.
        ours = [id for turn in turns for id, _, _ in _read(turn)]
        ids = dict(zip((id for turn in back for id, _, _ in turn), ours, strict=True))
        assert len(ids) == len(ours), case
        assert target.quirks.short_call_ids or list(ids) == ours, case
        assert {ids[id]: text for id, text in results} == given_results, case
        assert len(results) == len(given_results), case
