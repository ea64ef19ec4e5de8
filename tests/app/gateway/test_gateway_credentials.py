"""Calls and the credentials of their providers. Reliability cases 63, 64, 92, 94."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.errors import GatewayError
from tests.app.gateway.building import (
    NOON,
    House,
    Listener,
    Said,
    build,
    chat,
    chat_answer,
    config_yaml,
    event,
    whole,
)

KEYS = [f"cred-pool-{number}-0123456789" for number in range(4)]
Answers = Callable[[str], Said | Exception]


def provider(name: str, keys: str, more: str = "") -> str:
    return (
        f"  {name}: {{base_url: http://127.0.0.1:9/v1, keys: [{keys}], allow_private: true, exact: true, "
        f'prices: {{"*": {{input_mtok: "1.00", output_mtok: "2.00"}}}}{more}}}\n'
    )


def pool(count: int, name: str = "up", first: int = 0) -> str:
    return provider(name, ", ".join(KEYS[first : first + count]))


def answer_by_key(house: House, answers: Mapping[str, Said | Exception]) -> None:
    """Answer as is said for the credential that came, else well."""
    house.wire.answer = lambda _: answers.get(str(house.wire.keys[-1]), whole(chat_answer(5)))


def error(status: int, code: str | None = None, message: str = "no") -> Said:
    return whole({"error": {"message": message, "type": "some_error", "param": None, "code": code}}, status)


async def refusal(house: House, body: dict[str, Any] | None = None) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await house.serve(body or chat())
    return caught.value


def states(house: House, provider: str = "up") -> list[str]:
    shown = house.credentials.standings(house.time[1])
    return [each.state for each in shown if each.provider == provider]


def parkings(house: House, reason: str) -> float:
    labels = {"provider": "up", "reason": reason}
    return house.metrics.registry.get_sample_value("switchgear_credential_parkings_total", labels) or 0.0


def shown_in_metrics(house: House) -> dict[str, float | None]:
    house.metrics.watch_credentials(lambda: house.credentials.standings(house.time[1]))
    return {
        state: house.metrics.registry.get_sample_value(
            "switchgear_credentials", {"provider": "up", "state": state}
        )
        for state in ("ready", "parked", "quarantined")
    }


async def test_case_96_calls_are_shared_by_weight(tmp_path: Path) -> None:
    keys = ", ".join(f"{{key: {key}, weight: {weight}}}" for weight, key in enumerate(KEYS[:3], 1))
    house = build(tmp_path, config_yaml(providers=provider("up", keys)))
    for _ in range(60):
        await house.serve(chat())
    assert Counter(house.wire.keys) == {KEYS[0]: 10, KEYS[1]: 20, KEYS[2]: 30}


@pytest.mark.parametrize(
    ("failure", "state", "reason", "event"),
    [
        (error(429), "parked", "rate_limited", None),
        (error(402), "parked", "quota_exhausted", "credential_exhausted"),
        (error(429, "insufficient_quota"), "parked", "quota_exhausted", "credential_exhausted"),
        (error(401), "quarantined", "rejected", "credential_quarantined"),
        (error(403), "quarantined", "rejected", "credential_quarantined"),
    ],
)
async def test_case_63_64_what_speaks_of_a_credential_costs_the_client_nothing(
    tmp_path: Path, failure: Said, state: str, reason: str, event: str | None
) -> None:
    house = build(tmp_path, config_yaml(providers=pool(2)))
    answer_by_key(house, {KEYS[0]: failure})
    for _ in range(5):
        await house.serve(chat())
    assert Counter(house.wire.keys) == {KEYS[0]: 1, KEYS[1]: 5}, "it is left alone from then on"
    assert states(house) == [state, "ready"]
    assert [record.attempts for record in house.told] == [2, 1, 1, 1, 1]
    assert parkings(house, reason) == 1
    assert shown_in_metrics(house) == {"ready": 1, "parked": 0, "quarantined": 0} | {state: 1}
    told = [(call.method_name, call.args[0], call.kwargs) for call in house.log.calls]
    assert [each[1] for each in told] == ([event] if event else [])
    assert [each["event"] for each in house.sent] == ([event] if event else [])
    for _, _, fields in told:
        assert (fields["provider"], fields["credential"]) == ("up", 0)
    assert "cred-pool" not in repr(told) + repr(house.sent) + house.metrics.scrape().decode()


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "2"}, 2.0, 2.0),
        ({"retry-after": "120"}, 120.0, 120.0),
        ({"retry-after-ms": "1500"}, 1.5, 1.5),
        ({"retry-after": "Fri, 15 Jan 2027 12:00:30 GMT"}, 30.0, 30.0),
        ({"retry-after": "soon"}, 0.8, 1.0),
        ({"retry-after": "-1"}, 0.8, 1.0),
        ({"retry-after": "1000000000"}, 3600.0, 3600.0),
        ({}, 0.8, 1.0),
    ],
    ids=str,
)
async def test_case_63_how_long_a_credential_is_parked(
    tmp_path: Path, headers: dict[str, str], least: float, most: float
) -> None:
    house = build(tmp_path, config_yaml(providers=pool(1)))
    house.wire.headers = headers
    house.wire.answer = lambda _: error(429)
    assert NOON == 1_800_014_400.0, "the date above is half a minute later"
    first = await refusal(house)
    (standing,) = house.credentials.standings(house.time[1])
    assert least <= standing.usable_in <= most
    assert (first.http_status, first.code) == (429, "upstream_rate_limited")
    assert dict(first.headers)["retry-after"] == str(int(-(-standing.usable_in // 1)))

    second = await refusal(house)
    assert (second.http_status, second.code) == (429, "upstream_rate_limited")
    assert dict(second.headers)["retry-after"] == str(int(-(-standing.usable_in // 1)))
    assert len(house.wire.keys) == 1, "the second call was not sent"

    house.time[1] += standing.usable_in
    house.wire.answer = lambda _: whole(chat_answer(5))
    await house.serve(chat())
    assert states(house) == ["ready"]


async def test_case_63_where_all_are_parked_the_smallest_wait_is_told(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(providers=pool(3)))
    waits = itertools.chain(["40", "7", "90"])

    def answer(_: Any) -> Said:
        house.wire.headers = {"retry-after": next(waits)}
        return error(429)

    house.wire.answer = answer
    for _ in range(2):
        refused = await refusal(house)
        assert (refused.http_status, refused.code) == (429, "upstream_rate_limited")
        assert dict(refused.headers)["retry-after"] == "7"
    assert Counter(house.wire.keys) == dict.fromkeys(KEYS[:3], 1)


async def test_case_63_an_empty_account_hides_no_shorter_wait(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(providers=pool(2)))
    answer_by_key(house, {KEYS[0]: error(429), KEYS[1]: error(402)})
    for _ in range(2):
        refused = await refusal(house)
        assert (refused.http_status, refused.code) == (429, "upstream_rate_limited")
        assert dict(refused.headers)["retry-after"] == "1"
    assert len(house.wire.keys) == 2
    answer_by_key(house, dict.fromkeys(KEYS, error(402)))
    house.time[1] += 1.0
    for _ in range(2):
        refused = await refusal(house)
        assert 3590 <= int(dict(refused.headers)["retry-after"]) <= 3600
        assert ("x-should-retry", "false") in refused.headers


async def test_case_64_where_all_are_refused_it_is_ours_to_mend(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(providers=pool(2)))
    house.wire.answer = lambda _: error(401, message=f"Incorrect API key provided: {house.wire.keys[-1]}")
    for _ in range(2):
        refused = await refusal(house)
        assert (refused.http_status, refused.code) == (502, "upstream_auth_error")
        assert "cred" not in refused.message.replace("credential", "")
    assert len(house.wire.keys) == 2
    events = [call.args[0] for call in house.log.calls]
    assert events == ["credential_quarantined"] * 2
    house.time[1] += 10.0
    await refusal(house)
    assert len(house.wire.keys) == 4, "after a while a call tries them again"
    assert len(house.log.calls) == 2, "that it is still refused is no news"
    house.credentials.reset("up")
    house.wire.answer = lambda _: whole(chat_answer(5))
    await house.serve(chat())


async def test_case_94_a_call_takes_no_more_tries_for_many_bad_credentials(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(providers=pool(4)))
    house.wire.answer = lambda _: error(401)
    assert (await refusal(house)).code == "upstream_auth_error"
    assert len(house.wire.keys) == 3
    house.wire.answer = lambda _: whole(chat_answer(5))
    await house.serve(chat())


async def test_the_last_try_is_kept_for_another_target(tmp_path: Path) -> None:
    providers = pool(3) + provider("spare", KEYS[3])
    house = build(tmp_path, config_yaml(providers=providers, models="m: [up/m, spare/m]"))
    answer_by_key(house, dict.fromkeys(KEYS[:3], error(429)))
    assert (await house.serve(chat())).headers["x-switchgear-provider"] == "spare"
    assert (len(house.wire.keys), house.wire.keys[-1]) == (3, KEYS[3])


async def test_a_429_of_many_credentials_is_no_storm(tmp_path: Path) -> None:
    """An outage in which every call is refused: each credential is asked once, then by one call a time."""
    house = build(tmp_path, config_yaml(providers=pool(4)))
    house.wire.answer = lambda _: error(429)
    for _ in range(600):
        await refusal(house)
        house.time[1] += 0.1
    assert len(house.wire.keys) < 60


async def test_what_a_client_does_parks_nothing(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(providers=pool(1)))
    too_large = error(
        429, message="Request too large for gpt-x on tokens per min (TPM): Limit 10, Requested 20"
    )
    for failure in (error(400), error(404), error(413), error(422), too_large):
        house.wire.answer = lambda _, failure=failure: failure
        await refusal(house)
    left = Listener()

    async def never(_: Any) -> Said:
        await asyncio.Event().wait()
        raise AssertionError

    house.wire.answer = never
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(house.serve(chat(), client=left), 0.01)
    house.wire.answer = lambda _: error(503)
    await refusal(house)
    assert states(house) == ["ready"]
    (standing,) = house.credentials.standings(house.time[1])
    assert (standing.in_flight, standing.models) == (0, ())


async def test_a_403_for_one_model_leaves_the_others(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(providers=pool(1)))
    house.wire.answer = lambda body: error(403) if body["model"] == "secret" else whole(chat_answer(5))
    assert (await refusal(house, chat(model="up/secret"))).code == "upstream_auth_error"
    await house.serve(chat())
    assert len(house.wire.keys) == 2


async def test_a_trial_is_one_call_and_its_first_byte_frees_the_others(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(providers=pool(1)))
    house.wire.answer = lambda _: error(429)
    await refusal(house)
    house.time[1] += 1.0
    head, body = asyncio.Event(), asyncio.Event()

    async def slow(_: Any) -> Said:
        await head.wait()
        return (
            200,
            "text/event-stream",
            [event({"content": "a"}), None, event({}, "stop"), b"data: [DONE]\n\n"],
        )

    house.wire.answer = slow
    trial = asyncio.create_task(house.serve(chat(stream=True)))
    await asyncio.sleep(0.01)
    assert (await refusal(house)).code == "upstream_rate_limited"
    assert len(house.wire.keys) == 2
    head.set()
    await trial
    body.set()
    assert states(house) == ["ready"]


async def test_the_limits_of_the_chosen_credential_hold_alone(tmp_path: Path) -> None:
    keys = f"{{key: {KEYS[0]}, limits: {{rpm: 2}}}}, {{key: {KEYS[1]}, limits: {{rpm: 3}}}}"
    house = build(tmp_path, config_yaml(providers=provider("up", keys)))
    for _ in range(5):
        await house.serve(chat())
    assert Counter(house.wire.keys) == {KEYS[0]: 2, KEYS[1]: 3}
    refused = await refusal(house)
    assert (refused.http_status, refused.code) == (429, "rate_limit_exceeded")
    assert "credential:up/" in refused.message
    assert states(house) == ["ready", "ready"]


async def test_case_92_what_a_provider_says_is_left_steers_before_it_refuses(tmp_path: Path) -> None:
    """The upstream counts as providers do: a call beyond what is left would be a 429. None is."""
    house = build(tmp_path, config_yaml(providers=pool(2)))
    left = {KEYS[0]: 3, KEYS[1]: 50}

    def answer(_: Any) -> Said:
        key = str(house.wire.keys[-1])
        left[key] -= 1
        house.wire.headers = {
            "x-ratelimit-remaining-requests": str(max(0, left[key])),
            "x-ratelimit-reset-requests": "60s",
        }
        return error(429) if left[key] < 0 else whole(chat_answer(5))

    house.wire.answer = answer
    for _ in range(40):
        await house.serve(chat())
    assert left == {KEYS[0]: 0, KEYS[1]: 13}
    assert parkings(house, "rate_limited") == 0
    first, _ = house.credentials.standings(house.time[1])
    assert [each.remaining_requests for each in first.models] == [0]


async def test_a_target_that_has_no_room_goes_last_and_is_tried_when_nothing_else_is_left(
    tmp_path: Path,
) -> None:
    providers = pool(1) + provider("spare", KEYS[3])
    house = build(tmp_path, config_yaml(providers=providers, models="m: [up/m, spare/m]"))
    house.wire.headers = {"x-ratelimit-remaining-tokens": "3", "x-ratelimit-reset-tokens": "1m"}
    first = await house.serve(chat(model="up/m"))
    assert first.headers["x-switchgear-provider"] == "up"
    house.wire.headers = {}
    assert (await house.serve(chat())).headers["x-switchgear-provider"] == "spare"
    assert house.told[-1].fallback
    answer_by_key(house, {KEYS[3]: error(503)})
    assert (await house.serve(chat())).headers["x-switchgear-provider"] == "up"
    house.time[1] += 60.0
    house.wire.answer = lambda _: whole(chat_answer(5))
    assert (await house.serve(chat())).headers["x-switchgear-provider"] == "up"


async def test_a_model_that_no_credential_is_for_is_refused_as_such(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(providers=provider("up", f"{{key: {KEYS[0]}, models: ['large*']}}")))
    await house.serve(chat(model="up/large-1"))
    refused = await refusal(house, chat(model="up/small"))
    assert refused.http_status == 400
    assert "up/small: none of its credentials is for this model" in refused.message


async def test_a_provider_without_a_credential_is_asked_as_before(tmp_path: Path) -> None:
    house = build(tmp_path, config_yaml(providers=provider("up", "")))
    house.wire.answer = lambda _: error(429)
    for _ in range(3):
        assert (await refusal(house)).code == "upstream_rate_limited"
    assert house.wire.keys == [None, None, None]
    assert states(house) == []


async def test_a_rotated_secret_file_lifts_the_quarantine(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("cred-old-0123456789")
    house = build(tmp_path, config_yaml(providers=provider("up", f"{{file: {file}}}")))
    answer_by_key(house, {"cred-old-0123456789": error(401)})
    assert (await refusal(house)).code == "upstream_auth_error"
    (tmp_path / "new").write_text("cred-new-0123456789")
    (tmp_path / "new").replace(file)
    assert (await refusal(house)).code == "upstream_auth_error"
    house.time[1] += 1.0
    assert json.loads((await house.serve(chat())).received)["object"] == "chat.completion"
    assert house.wire.keys == ["cred-old-0123456789", "cred-new-0123456789"]
