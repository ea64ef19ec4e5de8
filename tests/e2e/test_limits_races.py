"""A thousand calls at one moment: the provider sees exactly as many as the limit, and not one more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.limits.estimate import input_estimate
from providers.types import Call, Operation
from tests.harness import actions as act
from tests.harness.crowd import Crowd, crowd
from tests.harness.gateway import Gateway, chat_body
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Gate, Upstream

CALLS, ROOM, OUTPUT = 1_000, 100, 50
BODY = chat_body("up/m", prompt="Hi", max_tokens=OUTPUT)
PROMPT = input_estimate(Call(Operation.CHAT, "m", BODY))
ALLOWANCES = {
    "rpm": {"limits": {"rpm": ROOM}},
    "rpd": {"limits": {"rpd": ROOM}},
    "otpm": {"limits": {"otpm": ROOM * OUTPUT + OUTPUT - 1}},
    "tpm": {"limits": {"tpm": ROOM * (OUTPUT + PROMPT)}},
    "itpm": {"limits": {"itpm": ROOM * PROMPT + PROMPT - 1}},
    "concurrency": {"limits": {"concurrency": ROOM}},
    # A token costs a dollar.
    "budget": {"budget": {"amount": str(ROOM * OUTPUT), "per": "total", "mode": "strict"}},
}
"""What holds exactly so many calls of `OUTPUT` tokens at once."""
PRICES = {"*": {"input_mtok": "0", "output_mtok": "1000000"}}
LONGER = ("rpd", "itpm", "otpm")


def key_of(kind: str) -> str:
    return f"sk-test-race-{kind}-0123456789"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory, secrets: Secrets
) -> Iterator[Gateway]:
    patient = {"response": "30s", "first_event": "30s"}
    config = config_for({"up": provider(upstream, "up", exact=True, timeouts=patient, prices=PRICES)}, {})
    config["auth"]["keys"] += [
        {"name": kind, "key": key_of(kind), **allowance} for kind, allowance in ALLOWANCES.items()
    ]
    with start_gateway(tmp_path_factory.mktemp("races") / "run", secrets, config) as running:
        yield running


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in LONGER else []) for kind in ALLOWANCES]
)
@pytest.mark.slow
async def test_cases_98_and_102_exactly_the_limit_is_admitted(
    upstream: Upstream, gateway: Gateway, kind: str
) -> None:
    slot, gate = upstream.slot(f"race-{kind}"), Gate()
    slot.script([act.wait_for(gate), *act.golden_reply("openai/chat_response.json")])
    body = {**BODY, "model": f"up/race-{kind}"}
    calls = Crowd(gateway.port, CALLS, body, key_of(kind))
    await calls.connect()
    calls.send()
    # While the provider holds its answers nothing is given back, so all refusals come first.
    await calls.answered(CALLS - ROOM)
    slot.wait_request(ROOM)
    assert {answer.status for answer in calls.answers} == {429}
    gate.open()
    answers = await calls.all()
    assert sorted(answer.status for answer in answers) == [200] * ROOM + [429] * (CALLS - ROOM)
    assert len(slot.requests) == ROOM
    gateway.eventually(lambda: gateway.in_flight() == 0, "return of all slots")
    if kind in {"concurrency", "tpm", "otpm", "budget"}:
        # What was reserved above the real use is back: there is room again, for as many.
        again = await crowd(gateway.port, ROOM // 2, body, key_of(kind))
        assert {answer.status for answer in again} == {200}
