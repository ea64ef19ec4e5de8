"""The end of a stream: what comes last goes out with the terminal event, and nothing of it is lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.errors import GatewayError
from providers.sse import SseDecoder
from tests.app.gateway.building import Listener, build, chat, config_yaml, event, provider_yaml

DONE = b"data: [DONE]\n\n"
WORDS = [event({"content": f"word{number} "}) for number in range(4)]
STOP = event({}, "stop") + event(None, usage={"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13})


@dataclass
class Counting(Listener):
    """Keeps what came by which call."""

    writes: list[bytes] = field(default_factory=list)
    ends: list[bytes] = field(default_factory=list)

    async def write(self, frames: bytes, headers: Any) -> None:
        self.writes.append(frames)
        await super().write(frames, headers)

    async def end(self, frames: bytes = b"", headers: Any = ()) -> None:
        self.ends.append(frames)
        self.committed = self.committed or bool(headers)
        self.headers = self.headers or dict(headers)
        self.has_content = self.has_content or bool(frames)
        self.received += frames + DONE


async def told(folder: Path, pieces: Sequence[bytes], *, single_flight: bool = False) -> Counting:
    models = f"m: {{targets: [up/m], single_flight: {str(single_flight).lower()}}}"
    house = build(folder, config_yaml(models=models))
    house.wire.answer = lambda _body: (200, "text/event-stream", list(pieces))
    client = Counting()
    await house.serve(chat(stream=True, temperature=0), client=client)
    (record,) = house.memory.records
    assert (record.outcome, record.output_tokens) == ("success", 4)
    return client


async def test_a_streams_end_is_one_call_however_the_provider_splits_it(tmp_path: Path) -> None:
    whole = b"".join(WORDS)
    for number, (pieces, writes) in enumerate(
        [
            ([whole + STOP + DONE], []),
            ([whole, STOP + DONE], [whole]),
            ([*WORDS, STOP, DONE], [*WORDS]),
            ([whole + STOP, DONE], [whole]),
            ([whole + STOP[:-1], STOP[-1:] + DONE], [whole]),
        ]
    ):
        client = await told(tmp_path / str(number), pieces)
        assert client.text == "word0 word1 word2 word3 ", pieces
        assert len(client.ends) == 1, pieces
        assert client.received.count(DONE) == 1, pieces
        assert client.received.endswith(DONE), pieces
        assert client.headers["x-switchgear-provider"] == "up", pieces
        assert b"word0" in (client.writes[0] if writes else client.ends[0]), pieces
        assert len(client.writes) <= len(writes) + 1, pieces


async def test_a_stream_in_one_piece_is_whole_for_those_who_share_it(tmp_path: Path) -> None:
    client = await told(tmp_path, [b"".join(WORDS) + STOP + DONE], single_flight=True)
    assert client.text == "word0 word1 word2 word3 "


async def test_what_comes_behind_the_end_takes_nothing_from_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As an endless line, but short enough to come in one piece.
    monkeypatch.setitem(SseDecoder.__init__.__kwdefaults__, "line_limit", 1000)
    claude = provider_yaml("up", "dialect: anthropic, max_tokens: 64").replace("exact: true, ", "")
    house = build(tmp_path, config_yaml(providers=claude))
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {"id": "a", "model": "m", "content": [], "usage": {"input_tokens": 9}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "all of it"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]
    said = b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)
    asked: list[Any] = []

    def answer(body: Any) -> Any:
        asked.append(body)
        return 200, "text/event-stream", [said + b"x" * 1001]

    house.wire.answer = answer
    client = Counting()
    with pytest.raises(GatewayError):
        await house.serve(chat(stream=True), client=client)
    assert client.text == "all of it"
    assert client.has_content
    assert len(asked) == 1
