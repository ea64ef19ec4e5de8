"""A talk that goes on at another vendor: what one has answered is sent back as it came, whoever is asked next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from providers import echoed
from providers.catalog import CATALOG
from providers.registry import adapter_for
from providers.types import Call, Operation, Target
from tests.contract import recorded
from tests.contract.recorded import OK

Json = Any
KEPT: dict[str, set[str]] = {
    # Fields of its own or of its relatives, in the form in which it takes them.
    "azure": {"annotations"},
    "cohere": {"citations", "tool_plan"},
    "openai": {"annotations"},
    "groq": {"annotations", "reasoning", "executed_tools"},
    "mistral": {"annotations"},
    "fireworks": {"annotations", "reasoning_content"},
}
CLOSED = (
    *("anthropic", "azure", "bedrock", "cohere", "fireworks", "gemini", "groq", "mistral", "openai"),
    *("perplexity", "vertex"),
)
"""Who refuses fields that it does not know."""
RICH: dict[str, Json] = {
    "role": "assistant",
    "content": "It is sunny.",
    "refusal": None,
    "annotations": [],
    "reasoning_content": "Hm.",
    "reasoning": "Hm.",
    "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}],
    "thinking_blocks": [{"type": "thinking", "thinking": "Hm."}],
    "output_items": [{"after_text": False, "after_calls": 0, "item": {"type": "reasoning", "id": "rs_1"}}],
    "tool_plan": "I look.",
    "citations": [{"start": 0, "end": 2, "text": "It", "sources": []}],
    "content_parts": [{"type": "reference"}],
    "extra_content": {"google": {"grounding_metadata": {}}},
    "provider_specific_fields": {},
}


def messages() -> Iterator[tuple[str, Json]]:
    """Give what every dialect has answered, and a message that has all there is."""
    yield "all", RICH
    for case in recorded.answers():
        if case.operation is Operation.CHAT:
            reply = case.adapter.parse_response(case.call(), case.target(), OK, case.data)
            yield str(case), json.loads(reply.body)["choices"][0]["message"]


def talk(message: Json) -> Json:
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "18 C"}
        for call in message.get("tool_calls") or ()
    ]
    return [{"role": "user", "content": "Weather?"}, message, *results, {"role": "user", "content": "And?"}]


def targets() -> Iterator[tuple[str, Target]]:
    for name in CLOSED:
        model = {"gemini": "gemini-2.5-flash", "vertex": "gemini-2.5-flash"}.get(name, "some-model")
        yield name, replace(recorded.target(name), model=model)
    yield "anthropic", replace(recorded.target("vertex"), model="claude-sonnet-4-5")
    yield "openai", replace(recorded.target("openai"), dialect="responses")


def keys_of(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys_of(each)


def test_what_one_vendor_has_answered_can_go_to_every_other() -> None:
    given = list(messages())
    assert len(given) > 20
    for name, target in targets():
        adapter = adapter_for(target.dialect, Operation.CHAT)
        assert adapter is not None
        for source, message in given:
            call = Call(Operation.CHAT, "m", {"messages": talk(message)}, "abc")
            body = json.loads(adapter.build_request(call, target).body)
            foreign = (echoed.FIELDS & set(keys_of(body))) - KEPT.get(name, set())
            assert not foreign, (name, target.dialect, source)


def test_servers_that_are_nobodys_in_particular_get_messages_as_they_are() -> None:
    target = recorded.target("vllm")
    adapter = adapter_for("openai", Operation.CHAT)
    assert adapter is not None
    call = Call(Operation.CHAT, "m", {"messages": talk(RICH)}, "abc")
    assert json.loads(adapter.build_request(call, target).body)["messages"] == talk(RICH)
    assert CATALOG["vllm"].quirks.foreign_fields == frozenset()
