"""Whatever raises wherever: what was taken is settled exactly once, and nothing else is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import LimitReached
from app.gateway.guard import Ticket
from app.telemetry.record import CallRecord
from providers.types import Target
from tests.app.gateway.building import (
    Listener,
    Said,
    build,
    chat,
    chat_answer,
    config_yaml,
    event,
    provider_yaml,
    whole,
)
from tests.app.gateway.stage import turns

HELD = (
    'limits: {concurrency: 3, rpm: 100000, tpm: 9000000}, budget: {amount: "100.00", per: day, mode: strict}'
)
CONFIG = config_yaml(
    key=HELD,
    providers=provider_yaml("up", HELD) + provider_yaml("other", HELD),
    models="m: {targets: [up/a, other/b], limits: {concurrency: 3}}, "
    "hedged: {targets: [up/a, other/b], limits: {concurrency: 3}, hedge: {after: 1ms, cap: 1}}, "
    "shared: {targets: [up/a, other/b], limits: {concurrency: 3}, single_flight: true}",
)


class Fault(Exception):
    """A bug of ours, which nobody expects."""


@dataclass
class Watched:
    """A guard or a gate that does what it is told, and counts what it has given and got back."""

    does: str
    order: list[str]
    name: str
    given: int = 0
    settled: list[int] = field(default_factory=list)

    async def admit(self, _ticket: Ticket) -> Watched.Held:
        for _ in range(2 if self.does == "waits" else 0):
            await asyncio.sleep(0)
        return self._give()

    async def take(self, _ticket: Ticket, _target: Target) -> Watched.Held:
        return self._give()

    def _give(self) -> Watched.Held:
        if self.does == "refuses":
            raise LimitReached("full", retry_after=1.0)
        if self.does == "breaks":
            raise Fault
        self.settled.append(0)
        self.given += 1
        self.order.append(f"+{self.name}")
        return Watched.Held(self, self.given - 1)

    @dataclass(frozen=True)
    class Held:
        watched: Watched
        number: int

        def charges(self) -> Sequence[Any]:
            return ()

        def settle(self, told: Any, /) -> Any:
            self.watched.settled[self.number] += 1
            self.watched.order.append(f"-{self.watched.name}")
            return told if isinstance(told, CallRecord) else ()


@dataclass
class Fragile(Listener):
    """A client whose connection breaks in an unexpected way, at one of its calls."""

    breaks_at: int = -1
    calls: int = 0

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self.breaks_at:
            raise Fault

    async def reply(self, body: bytes, headers: Any, _media: str = "") -> None:
        self._count()
        await super().reply(body, headers)

    async def write(self, frames: bytes, headers: Any) -> None:
        self._count()
        await super().write(frames, headers)

    async def end(self, frames: bytes = b"", headers: Any = ()) -> None:
        self._count()
        await super().end(frames, headers)


def streamed(*ending: bytes | Exception | None) -> Said:
    words = [event({"content": f"word{n} "}) for n in range(4)]
    return 200, "text/event-stream", [*words, *ending]


ANSWERS: dict[str, Said | Exception] = {
    "whole": whole(chat_answer(5)),
    "stream": streamed(event({}, "stop"), b"data: [DONE]\n\n"),
    "truncated": streamed(httpx2.ReadError("cut")),
    "cut": streamed(),
    "error event": streamed(b'data: {"error": {"message": "no", "type": "server_error"}}\n\n'),
    "malformed": (200, "text/html", [b"<html>"]),
    "rejected": whole({"error": {"message": "no"}}, 400),
    "overloaded": whole({"error": {"message": "no"}}, 503),
    "limited": whole({"error": {"message": "no"}}, 429),
    "unreachable": httpx2.ConnectError("refused"),
    "disconnected": httpx2.RemoteProtocolError("closed"),
    "timeout": httpx2.ReadTimeout("slow"),
    "our fault": Fault(),
    "our fault in a stream": streamed(Fault()),
}
DOES = st.sampled_from(["admits", "admits", "admits", "waits", "refuses", "breaks"])


@dataclass(frozen=True)
class Story:
    guards: tuple[str, ...]
    gates: tuple[str, ...]
    answers: tuple[str, str]
    stream: bool
    cancel_after: tuple[int, ...]
    leaves: bool
    breaks_at: int
    model: str = "m"


STORIES = st.builds(
    Story,
    st.tuples(DOES, DOES),
    st.tuples(DOES, DOES),
    st.tuples(st.sampled_from(list(ANSWERS)), st.sampled_from(list(ANSWERS))),
    st.booleans(),
    st.one_of(st.just(()), st.tuples(st.integers(1, 40)), st.tuples(st.integers(1, 40), st.integers(0, 3))),
    st.booleans(),
    st.sampled_from([-1, -1, -1, 1, 2, 5, 6]),
    st.sampled_from(["m", "hedged", "shared"]),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settles")


@contextlib.contextmanager
def quiet_loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


async def live(story: Story, folder: Path) -> None:
    order: list[str] = []
    guards = [Watched(does, order, f"guard{n}") for n, does in enumerate(story.guards)]
    gates = [Watched(does, order, f"gate{n}") for n, does in enumerate(story.gates)]
    house = build(folder, CONFIG, guards=guards, gates=gates)
    replies = {"a": ANSWERS[story.answers[0]], "b": ANSWERS[story.answers[1]]}
    house.wire.answer = lambda body: replies[body["model"]]
    client = Fragile(breaks_at=story.breaks_at)
    body = chat(model=story.model, max_tokens=50, stream=story.stream, temperature=0)
    call = asyncio.create_task(house.outcome(body, client=client))
    for count in story.cancel_after:
        for _ in range(count):
            await asyncio.sleep(0)
        client.left = client.left or story.leaves
        call.cancel()
    await asyncio.wait([call])
    # A call that was cancelled twice waits for nothing any more.
    await turns()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    failed = None if call.cancelled() else call.exception()
    assert failed is None or isinstance(failed, Fault), failed

    for watched in (*guards, *gates):
        assert all(times == 1 for times in watched.settled), (watched.name, watched.settled, order)
    assert_nested([step for step in order if "guard" in step])
    assert_nested([step for step in order if "gate" in step])
    assert house.reserved() == 0
    assert len(house.told) == 1, "a call is told of once"
    assert len(house.memory.records) <= 1
    assert bool(house.memory.records) == bool(house.memory.intents), (
        "an intent without an end, or the reverse"
    )
    assert house.metrics.registry.get_sample_value("switchgear_in_flight", {"operation": "chat"}) in (0, None)
    for key, meter in house.meters._meters.items():
        assert not key.startswith("concurrency") or meter.used(house.time[1]) == 0, key
    for record in house.memory.records:
        assert sum(a.cost_nano or 0 for a in record.tries) == record.cost_nano
        assert {c.nano for c in record.charges if c.subject == "key:ci"} <= {record.cost_nano}
        assert house.spent("provider:up") + house.spent("provider:other") == record.cost_nano


def assert_nested(steps: list[str]) -> None:
    """What was taken last is settled first."""
    open_now: list[str] = []
    for step in steps:
        if step[0] == "+":
            open_now.append(step[1:])
        else:
            assert open_now.pop() == step[1:], steps
    assert open_now == []


@given(STORIES)
@settings(max_examples=100)
def test_everything_is_settled_exactly_once(folder: Path, story: Story) -> None:
    with quiet_loop() as runner:
        runner.run(live(story, folder))


@pytest.mark.slow
@given(STORIES)
@settings(max_examples=1_500)
def test_everything_is_settled_exactly_once_at_length(folder: Path, story: Story) -> None:
    with quiet_loop() as runner:
        runner.run(live(story, folder))


@pytest.mark.parametrize(
    "model", ["m", *(pytest.param(model, marks=pytest.mark.slow) for model in ("hedged", "shared"))]
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_cancellation_at_every_await(folder: Path, stream: bool, model: str) -> None:
    """At each turn of the loop in the life of a call whose first target fails."""
    kind = "stream" if stream else "whole"
    for turn in range(1, 45):
        story = Story(
            ("waits", "admits"),
            ("admits", "admits"),
            ("timeout", kind),
            stream,
            (turn,),
            turn % 2 == 0,
            -1,
            model,
        )
        with quiet_loop() as runner:
            runner.run(live(story, folder))
