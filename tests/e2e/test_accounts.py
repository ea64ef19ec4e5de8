"""Every call leaves exactly one log line and one row, and the metrics agree with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.harness import actions as act
from tests.harness.rig import Rig, config_for, model_of, provider, provider_of, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.streams import stream_chat
from tests.harness.upstream import Upstream

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"


def test_calls_of_each_kind_are_counted_once(tmp_path: Path, secrets: Secrets) -> None:
    with Upstream() as upstream:
        providers = {name: provider(upstream, name, exact=True) for name in ("up", "other")}
        config = config_for(providers, {"fast": ["up/up"]})
        with start_gateway(tmp_path / "run", secrets, config) as gateway:
            upstream.slot("up").script(
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
            ids.append(gateway.chat("fast").request_id)
            outcomes = [gateway.record(request_id)["outcome"] for request_id in ids]
            refused = [gateway.post(CHAT, {"model": "fast"}).request_id, gateway.chat("unknown").request_id]
            assert [gateway.line_of(request_id)["outcome"] for request_id in refused] == ["refused"] * 2
            metrics = gateway.metrics()
        rows = gateway.rows()
    assert outcomes == ["success", "success", "upstream_error", "refused", "truncated", "success"]
    # What was refused before any provider was asked is told of in the log, and cost nothing.
    assert sorted(row["request_id"] for row in rows) == sorted(ids)
    assert sum_of(metrics, "switchgear_requests_total") == len(ids) + len(refused)
    assert sum_of(metrics, "switchgear_tokens_total", 'kind="input"') == sum(
        row["input_tokens"] or 0 for row in rows
    )
    assert sum_of(metrics, "switchgear_tokens_total", 'kind="output"') == sum(
        row["output_tokens"] or 0 for row in rows
    )


def sum_of(metrics: Mapping[str, float], name: str, label: str = "") -> float:
    return sum(value for series, value in metrics.items() if series.startswith(name) and label in series)


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
        provider=provider_of(slot),
        upstream_model="gpt-4.1-nano-2025-04-14",
        error_type=None,
        level="info",
    )
    assert 0 <= line["overhead_ms"] <= line["duration_ms"]
    assert 0 <= line["upstream_ms"] <= line["duration_ms"]
    assert line["timestamp"].endswith(("Z", "+00:00"))


@pytest.mark.slow
def test_rows_outlive_a_stop_and_a_kill(tmp_path: Path, secrets: Secrets) -> None:
    def ids_in_ledger() -> list[str]:
        return sorted(row["request_id"] for row in gateway.rows())

    with Upstream() as upstream:
        config = config_for({"up": provider(upstream, "up")}, {"fast": ["up/up"]})
        upstream.slot("up").script(act.golden_reply("openai/chat_response.json"))
        with start_gateway(tmp_path / "run", secrets, config) as gateway:
            ids = [gateway.chat("fast").request_id for _ in range(30)]
            gateway.stop()
            assert ids_in_ledger() == sorted(ids), "a call was answered and has no row after the stop"
            gateway.start()
            ids += [gateway.chat("fast").request_id for _ in range(30)]
            gateway.kill()
            gateway.start()
            gateway.eventually(lambda: len(gateway.rows()) >= len(ids), "the rows of all answered calls")
            assert ids_in_ledger() == sorted(ids)
