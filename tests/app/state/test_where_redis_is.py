"""The kinds of server that `state` may name: one of a cluster, and one behind TLS."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from app.limits.ask import Amounts, Limit, Refusal
from app.limits.kinds import LimitKind
from app.limits.queue import Priority
from tests.harness import tls
from tests.harness.gateway import free_port
from tests.harness.shared import limiter_at
from tests.harness.valkey import Valkey, start_valkey

LIMITS = [Limit("key:ci", LimitKind.RPM, 2), Limit("model:fast", LimitKind.TPM, 100)]
"""Of several subjects: in a cluster their keys must be on one node."""


async def assert_it_limits(url: str) -> None:
    limiter, membership = await limiter_at(url)
    for refused in (False, False, True):
        answer = await limiter.wait(LIMITS, Amounts(1, 5), priority=Priority.NORMAL, max_wait=0.0)
        assert isinstance(answer.taken, Refusal) is refused
        assert not answer.degraded
    await membership.leave()


async def test_a_node_of_a_cluster_serves_what_spans_several_subjects(tmp_path: Path) -> None:
    # By itself it takes the port 10,000 above its own, which there may not be.
    with start_valkey(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as server:
        server.run("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
        while b"cluster_state:ok" not in server.run("CLUSTER", "INFO"):
            await asyncio.sleep(0.01)
        await assert_it_limits(server.url)


async def test_rediss_checks_who_answers(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", valkey.port)
        await asyncio.gather(pass_on(reader, inner_writer), pass_on(inner_reader, writer))

    valkey.run("FLUSHALL")
    door = await asyncio.start_server(connect, "127.0.0.1", 0, ssl=tls.server_tls())
    url = f"rediss://127.0.0.1:{door.sockets[0].getsockname()[1]}/0"
    monkeypatch.setenv("SSL_CERT_FILE", tls.CA)
    await assert_it_limits(url)
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(AssertionError, match="no Valkey"):
        await limiter_at(url)
    door.close()
