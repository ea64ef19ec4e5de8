"""Every call leaves exactly one log line and one row, and the metrics agree with them."""

from __future__ import annotations

from pathlib import Path

from tests.harness import actions as act

from tests.harness.rig import MODEL, Rig, config_for, model_of, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.streams import stream_chat
from tests.harness.upstream import Upstream

CHAT = "/v1/chat/completions"


def test_calls_of_each_kind_are_counted_once(tmp_path: Path, secrets: Secrets) -> None:
    with Upstream() as upstream:
        config = config_for({"up": provider(upstream, "up", exact=True)}, {"fast": [f"up/{MODEL}"]})
        with start_gateway(tmp_path / "run", secrets, config) as gateway:
            slot = upstream.slot("up")
            slot.script(
                act.golden_reply("openai/chat_response.json"),
                act.golden_stream("openai/chat_stream_text.sse"),
                act.error_reply(500),
                act.error_reply(400, code="invalid_value"),
                act.golden_stream("openai/chat_stream_text.sse", [act.close], first=4),
                act.golden_reply("openai/chat_response.json"),
            )
            ids = [gateway.chat("fast").request_id, stream_chat(gateway, "fast").request_id]
            ids += [gateway.chat("fast").request_id for _ in range(2)]
            ids.append(stream_chat(gateway, "fast").request_id)
            ids.append(gateway.post(CHAT, {"model": "fast"}).request_id)
            ids.append(gateway.chat("nope/nope").request_id)
            ids.append(gateway.chat("fast").request_id)
            outcomes = [gateway.record(request_id)["outcome"] for request_id in ids]
            metrics = gateway.metrics()
            rows = gateway.rows()
        after = gateway.rows()
    assert outcomes == [
        "success", "success", "upstream_error", "refused", "truncated", "refused", "refused", "success",
    ]  # fmt: skip
    assert sorted(row["request_id"] for row in rows) == sorted(ids)
    assert len(after) == len(ids), "stopping changed the ledger"
    counted = sum(value for name, value in metrics.items() if name.startswith("switchgear_requests_total"))
    assert counted == len(ids)
    tokens = sum(v for name, v in metrics.items() if name.startswith("switchgear_tokens_total") and 'kind="input"' in name)
    assert tokens == sum(row["input_tokens"] or 0 for row in rows)


def test_a_request_id_used_twice_is_two_calls(rig: Rig) -> None:
    slot = rig.exact()
    slot.script(act.golden_reply("openai/chat_response.json"))
    for _ in range(2):
        assert rig.gateway.chat(model_of(slot), headers={"x-request-id": "used-twice"}).status == 200
    rig.gateway.eventually(lambda: len(rig.gateway.rows("used-twice")) == 2, "two rows")
    assert len(rig.gateway.lines_of("used-twice")) == 2


def test_what_a_line_tells(rig: Rig) -> None:
    slot = rig.exact()
    slot.script(act.golden_reply("openai/chat_response.json"))
    line = rig.gateway.record(
        rig.gateway.chat(model_of(slot)).request_id,
        key="app",
        method="POST",
        path=CHAT,
        operation="chat",
        model=model_of(slot),
        provider=slot.name,
        upstream_model="gpt-4.1-nano-2025-04-14",
        error_type=None,
        level="info",
    )
    assert 0 <= line["overhead_ms"] <= line["duration_ms"]
    assert 0 <= line["upstream_ms"] <= line["duration_ms"]
    assert line["timestamp"].endswith(("Z", "+00:00"))


def test_rows_outlive_the_process(tmp_path: Path, secrets: Secrets) -> None:
    with Upstream() as upstream:
        config = config_for({"up": provider(upstream, "up")}, {"fast": [f"up/{MODEL}"]})
        upstream.slot("up").script(act.golden_reply("openai/chat_response.json"))
        with start_gateway(tmp_path / "run", secrets, config) as gateway:
            ids = [gateway.chat("fast").request_id for _ in range(50)]
        assert sorted(row["request_id"] for row in gateway.rows()) == sorted(ids)
        gateway.start()
        ids.append(gateway.chat("fast").request_id)
        gateway.record(ids[-1])
        assert sorted(row["request_id"] for row in gateway.rows()) == sorted(ids)
        gateway.stop()


def test_rows_survive_a_kill(tmp_path: Path, secrets: Secrets) -> None:
    with Upstream() as upstream:
        config = config_for({"up": provider(upstream, "up")}, {"fast": [f"up/{MODEL}"]})
        upstream.slot("up").script(act.golden_reply("openai/chat_response.json"))
        with start_gateway(tmp_path / "run", secrets, config) as gateway:
            ids = [gateway.chat("fast").request_id for _ in range(30)]
            gateway.process.kill()
            gateway.process.wait()
            gateway.start()
            gateway.eventually(lambda: len(gateway.rows()) >= len(ids), "the rows of all answered calls")
            assert sorted(row["request_id"] for row in gateway.rows()) == sorted(ids)


