"""Where the microseconds of a call go: each stage by itself, on the real objects. `make micro` runs it.

What is left of a call's processor time, as `make bench` measures it, is the event loop, the sockets and HTTP.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from app.api.json_body import parse_object
from app.api.request_checks import check_request
from app.auth.keyring import KeyRing
from app.auth.presented import digest
from app.gateway.balance import Ask
from app.gateway.guard import Admissions, Guard, Passages, Spent, Ticket
from app.gateway.http1 import AnswerReader, render_head
from app.telemetry.logging import CallLines
from app.telemetry.metrics import Metrics
from app.telemetry.output import Output
from app.telemetry.record import CallRecord
from app.telemetry.shortcuts import Shortcuts
from app.usage.spool import Spool
from providers.openai import chat
from providers.types import Call, Head, Operation, Secret
from tests.app.gateway.building import House, build
from tests.bench.upstream import IN_ONE_PIECE, WHOLE

MOST = 1_000_000_000
BETWEEN = 0.0005
"""Seconds from one call to the next, for windows to slide."""
KEY = "sk-test-ci-0123456789abcdef"
CONFIG = f"""
version: 1
auth:
  keys:
    - {{name: ci, key: {KEY}, limits: {{rpm: {MOST}, tpm: {MOST}}}, budget: {{amount: "1000000", per: day}}}}
providers:
  up:
    base_url: http://127.0.0.1:9/v1
    keys: [cred-up-0123456789]
    allow_private: true
    exact: true
    limits: {{rpm: {MOST}}}
    prices: {{"*": {{input_mtok: "1.00", output_mtok: "2.00"}}}}
"""
BODY = json.dumps({"model": "up/m", "messages": [{"role": "user", "content": "hello " * 150}]}).encode()
PARSED = json.loads(BODY)
ANSWER, STREAM = WHOLE[b'"whole"'], IN_ONE_PIECE[b'"piece"']
Benchmark = Callable[[Callable[[], Any]], Any]


def finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    async def made() -> House:
        return build(tmp_path_factory.mktemp("house"), CONFIG)

    return asyncio.run(made())


def pass_by(guards: Sequence[Guard], asked: Ticket, record: CallRecord) -> None:
    """Be admitted, and settle."""
    asked.charges.clear()
    asked.rates.clear()
    admissions = Admissions(guards)
    finish(admissions.take(asked))
    admissions.settle(record)


def call() -> Call:
    return Call(Operation.CHAT, "up/m", PARSED, "0123456789abcdef", 1)


def new_ticket(house: House) -> Ticket:
    asked, principal = call(), house.keys["ci"]
    forecast = house.gateway.forecasts.of(asked, principal.name)
    plan = house.gateway.router.plan("up/m", Operation.CHAT, principal, Ask(asked, "ci", forecast))
    return Ticket("r", asked, principal, plan, forecast)


@pytest.fixture(scope="module")
def record(house: House) -> CallRecord:
    """The record of a call that was served."""
    asyncio.run(house.serve(PARSED))
    return house.told[-1]


def test_01_body_to_call(benchmark: Benchmark) -> None:
    def read() -> None:
        check_request(Operation.CHAT, parse_object(BODY))

    benchmark(read)


def test_02_key_to_principal(benchmark: Benchmark, house: House) -> None:
    ring = KeyRing([(Secret(KEY), house.keys["ci"])], lambda: 0.0)
    assert benchmark(lambda: ring.find(digest(KEY.encode())))


def test_03_forecast_and_plan(benchmark: Benchmark, house: House) -> None:
    assert benchmark(lambda: new_ticket(house)).plan.targets


def test_04_limits(benchmark: Benchmark, house: House, record: CallRecord) -> None:
    """Of requests and tokens: taken and settled."""
    asked = new_ticket(house)

    def take() -> None:
        house.time[1] += BETWEEN
        pass_by(house.gateway.guards[:2], asked, record)

    benchmark(take)


def test_05_budget(benchmark: Benchmark, house: House, record: CallRecord) -> None:
    """Reserved and settled, its price looked up."""
    asked = new_ticket(house)
    benchmark(lambda: pass_by(house.gateway.guards[2:], asked, record))


def test_06_gates_and_credential(benchmark: Benchmark, house: House) -> None:
    asked = new_ticket(house)
    target = asked.plan.targets[0]

    def choose() -> None:
        passages = Passages()
        finish(passages.take(house.gateway.gates, asked, target))
        finish(passages.choose(house.gateway.credentials, asked, target))
        passages.settle(Spent(None, None))

    benchmark(choose)


def test_07_request_to_bytes(benchmark: Benchmark, house: House) -> None:
    target = new_ticket(house).plan.targets[0].using(Secret("cred-up-0123456789"), 0)

    def render() -> bytes:
        request = chat.build_request(call(), target)
        head = render_head("POST", "/v1/chat/completions", "127.0.0.1:9", request.headers, len(request.body))
        return head + request.body

    assert benchmark(render)


def test_08_bytes_to_answer(benchmark: Benchmark) -> None:
    reader = AnswerReader()

    def read() -> bytes:
        reader.expect(bodiless=False)
        reader.feed(ANSWER)
        return reader.take()

    assert benchmark(read)


def test_09_answer_to_reply(benchmark: Benchmark, house: House) -> None:
    target, asked = new_ticket(house).plan.targets[0], call()
    body = ANSWER.partition(b"\r\n\r\n")[2]
    head = Head(200, {"content-type": "application/json"})
    assert benchmark(lambda: chat.parse_response(asked, target, head, body)).usage


def test_10_stream_of_66_events(benchmark: Benchmark, house: House) -> None:
    """In one piece, from bytes to chunks."""
    target = new_ticket(house).plan.targets[0]
    asked = Call(Operation.CHAT, "up/m", {**PARSED, "stream": True}, "0123456789abcdef", 1)
    head = Head(200, {"content-type": "text/event-stream"})

    def read() -> Any:
        reader = AnswerReader()
        reader.expect(bodiless=False)
        reader.feed(STREAM)
        return chat.open_stream(asked, target, head).feed(reader.take())

    assert benchmark(read)


def test_11_record_to_spool(benchmark: Benchmark, record: CallRecord, tmp_path: Path) -> None:
    """One write; a call has two, for its intent and its record."""
    spool = Spool(tmp_path, "one", structlog.testing.CapturingLogger())
    benchmark(lambda: spool.append(record))


def test_12_record_to_line(benchmark: Benchmark, record: CallRecord, lines: CallLines) -> None:
    benchmark(lambda: lines.write(record))


@pytest.fixture
def lines() -> Iterator[CallLines]:
    with Path("/dev/null").open("wb", buffering=0) as nowhere:
        out = Output(nowhere)
        yield CallLines(out, level="info")
        out.close(5.0)


def test_13_record_to_metrics(benchmark: Benchmark, record: CallRecord) -> None:
    metrics = Metrics("0")
    shortcuts = Shortcuts(metrics.registry)

    def observe() -> None:
        metrics.observe(record)
        shortcuts.observe(record)

    benchmark(observe)
