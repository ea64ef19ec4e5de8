"""F1, F2: what clients lose in restarts under load."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import actions as act
from tests.harness.gateway import chat_body
from tests.harness.regulars import regulars
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Upstream
from tests.proofs.conftest import Note

PATIENT = {"response": "30s", "first_event": "30s", "idle": "30s"}
RESTARTS, CALLS, CLIENTS, STREAMS = 5, 50_000, 24, 10


@pytest.mark.proofs
@pytest.mark.timeout(900)
def test_restarts_lose_nothing(tmp_path: Path, secrets: Secrets, note: Note) -> None:
    with Upstream() as upstream:
        upstream.slot("paced").script(act.paced_stream("openai/chat_stream_text.sse", 1.5))
        providers = {"up": provider(upstream, "up", exact=True, timeouts=PATIENT), "echo": {}}
        config = config_for(providers, {}, server={"drain_notice": "1s"})
        stream = chat_body("up/paced", stream=True)
        with (
            start_gateway(tmp_path / "run", secrets, config) as gateway,
            regulars(gateway.port, CLIENTS, "regular", chat_body("echo/any")) as calls,
            regulars(gateway.port, STREAMS, "stream", stream) as streams,
        ):
            for number in range(1, RESTARTS + 1):
                enough = number * CALLS // RESTARTS
                gateway.eventually(lambda enough=enough: calls.answered >= enough, "calls", 120.0)
                gateway.restart(within=60.0)
            gateway.eventually(lambda: len(gateway.serving_pids()) == 1, "the end of the old process", 60.0)
    asked = calls.answered + len(calls.failures)
    note(
        "F1",
        f"calls lost over {RESTARTS} restarts, {CLIENTS} keep-alive clients",
        "0 of ≥ 50,000",
        f"{len(calls.failures)} of {asked:,}",
    )
    cut = len(streams.failures)
    note("F2", f"streams cut by {RESTARTS} restarts", "0", f"{cut} of {streams.answered + cut:,}")
    assert (calls.failures, streams.failures) == ([], [])
