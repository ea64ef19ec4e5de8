"""Case 82: usage is always asked for, and shown only to who asked for it."""

from __future__ import annotations

import json

import pytest

from tests.harness import actions as act
from tests.harness.lanes import ANSWER, Lane
from tests.harness.rig import Rig, model_of
from tests.harness.streams import stream_chat

TEXT = "openai/chat_stream_text.sse"
ASKED = {"stream_options": {"include_usage": True}}


def test_case_82_not_asked(rig: Rig, lane: Lane) -> None:
    slot = lane.take(rig)
    slot.script(lane.text_stream())
    streamed = stream_chat(rig.gateway, model_of(slot))
    assert (streamed.text, streamed.done) == (ANSWER, True)
    assert streamed.usages == []
    assert all(chunk["choices"] for chunk in streamed.chunks), "a chunk without choices was left in"
    line = rig.gateway.record(streamed.request_id, outcome="success", usage_source="provider")
    assert line["input_tokens"] > 0
    assert line["output_tokens"] > 0


def test_case_82_asked(rig: Rig, lane: Lane) -> None:
    slot = lane.take(rig)
    slot.script(lane.text_stream())
    streamed = stream_chat(rig.gateway, model_of(slot), **ASKED)
    assert (streamed.text, streamed.done) == (ANSWER, True)
    (usage,) = streamed.usages
    assert streamed.chunks[-1]["usage"] == usage
    assert streamed.chunks[-1]["choices"] == []
    line = rig.gateway.record(streamed.request_id, usage_source="provider")
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (
        line["input_tokens"],
        line["output_tokens"],
    )
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_obfuscation": False}])
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])
def test_case_82_the_provider_is_asked_in_any_case(
    rig: Rig, exact: bool, options: dict[str, bool] | None
) -> None:
    slot = rig.exact() if exact else rig.plain()
    slot.script(act.golden_stream(TEXT))
    streamed = stream_chat(
        rig.gateway, model_of(slot), **({} if options is None else {"stream_options": options})
    )
    assert streamed.usages == []
    assert slot.last.json["stream_options"] == {**(options or {}), "include_usage": True}


def test_case_82_a_whole_answer_is_not_asked_for_with_stream_options(rig: Rig) -> None:
    slot = rig.exact()
    slot.script(act.golden_reply("openai/chat_response.json"))
    assert rig.gateway.chat(model_of(slot)).status == 200
    assert "stream_options" not in slot.last.json


def test_case_82_usage_in_every_chunk_the_last_one_counts(rig: Rig) -> None:
    slot = rig.plain()
    events = act.events_of(TEXT)
    growing = [
        event.replace(
            b'"usage":null',
            b'"usage":{"prompt_tokens":24,"completion_tokens":%d,"total_tokens":%d}' % (n, 24 + n),
        )
        for n, event in enumerate(events[:-2])
    ]
    slot.script(act.stream_of([*growing, *events[-2:]]))
    streamed = stream_chat(rig.gateway, model_of(slot), **ASKED)
    assert len(streamed.usages) == 1
    assert streamed.usages[0]["completion_tokens"] == 8
    rig.gateway.record(streamed.request_id, output_tokens=8, usage_source="provider")


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "plain"])
def test_case_82_no_usage_is_estimated(rig: Rig, exact: bool) -> None:
    slot = rig.exact() if exact else rig.plain()
    slot.script(act.golden_stream("openai/chat_stream_text_no_usage.sse"))
    streamed = stream_chat(rig.gateway, model_of(slot))
    assert (streamed.text, streamed.done) == (ANSWER, True)
    line = rig.gateway.record(streamed.request_id, outcome="success", usage_source="estimated")
    assert line["input_tokens"] > 0
    assert abs(line["output_tokens"] - len(ANSWER) / 4) <= 1


def test_both_lanes_account_alike(rig: Rig) -> None:
    counts = []
    for slot in (rig.exact(), rig.plain()):
        slot.script(act.golden_stream(TEXT))
        line = rig.gateway.record(stream_chat(rig.gateway, model_of(slot)).request_id)
        counts.append({name: value for name, value in line.items() if name.endswith("_tokens")})
    assert counts[0] == counts[1]


def test_anthropic_counts_its_cache_as_input(rig: Rig) -> None:
    slot = rig.anthropic()
    body = json.loads(act.golden("anthropic/messages_response.json"))
    body["usage"] |= {"input_tokens": 20, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 7}
    slot.script(act.json_reply(body))
    response = rig.gateway.chat(model_of(slot))
    assert response.json["usage"]["prompt_tokens"] == 127
    rig.gateway.record(
        response.request_id, input_tokens=127, cached_tokens=100, cache_write_tokens=7, output_tokens=10
    )


def test_each_call_has_one_line_soon_after_its_end(rig: Rig) -> None:
    """A call is settled before its last bytes go out; a thread of its own writes the line."""
    slot = rig.exact()
    slot.script(act.golden_stream(TEXT))
    for _ in range(20):
        streamed = stream_chat(rig.gateway, model_of(slot))
        assert rig.gateway.line_of(streamed.request_id)
