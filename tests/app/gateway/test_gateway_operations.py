"""What operations beside words cost, and what budgets make of them: a gateway in this process with the wire played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.auth.principal import Principal
from app.errors import NotFound
from app.gateway.credential_pool import Credentials
from app.gateway.jobs import Jobs, mark_of
from app.usage.price_book import PriceBook
from providers.types import Operation, Secret, Target, Usage
from tests.app.gateway.building import House, build, config_yaml, provider_yaml, whole

STRICT = 'budget: {amount: "1.00", per: day, mode: strict}'
LEARNED = 'budget: {amount: "1.00", per: day}'
IMAGES = {"created": 1, "data": [{"url": "https://a"}, {"url": "https://b"}]}
DRAW = {"model": "m", "prompt": "a cat", "n": 2}


def house(folder: Path, key: str, prices: str) -> House:
    return build(folder, config_yaml(key=key, providers=provider_yaml("up", prices=prices)))


async def test_what_is_made_is_paid_for_by_its_own_unit(tmp_path: Path) -> None:
    sound = b"x" * 100
    cases: tuple[tuple[str, Operation, dict[str, Any], Any, int], ...] = (
        ('image: "0.04"', Operation.IMAGE_GENERATION, DRAW, whole(IMAGES), 80_000_000),
        (
            *('mchars: "15"', Operation.SPEECH, {"model": "m", "input": "Hello"}),
            *((200, "audio/mpeg", [sound]), 75_000),
        ),
        (
            *('search: "0.002"', Operation.RERANK, {"model": "m", "query": "q", "documents": ["d"]}),
            whole({"results": [], "meta": {"billed_units": {"search_units": 2}}}),
            4_000_000,
        ),
        (
            *('audio_minute: "0.006"', Operation.TRANSCRIPTION, {"model": "m"}),
            whole({"text": "t", "usage": {"type": "duration", "seconds": 30}}),
            3_000_000,
        ),
        (
            *('video_second: "0.10"', Operation.VIDEO, {"model": "m", "prompt": "p", "seconds": "4"}),
            *(whole({"id": "v"}), 400_000_000),
        ),
    )
    for number, (prices, operation, body, answer, cost) in enumerate(cases):
        home = house(tmp_path / str(number), LEARNED, prices)
        home.wire.answer = lambda _, answer=answer: answer
        client = await home.serve(body, operation=operation)
        (record,) = home.memory.records
        assert record.cost_nano == cost == home.spent("key:ci"), operation
        assert (record.operation, record.outcome, home.reserved()) == (operation, "success", 0)
        assert record.units, operation
        if operation is Operation.SPEECH:
            assert client.received.startswith(sound)
            assert client.headers["content-type"] == "audio/mpeg"


async def test_case_a_strict_budget_takes_what_it_can_bound(tmp_path: Path) -> None:
    tokens = 'input_mtok: "5", output_mtok: "40"'
    for number, (prices, operation, body, outcome) in enumerate((
        ('image: "0.04"', Operation.IMAGE_GENERATION, DRAW, "ok"),
        ('image: "0.60"', Operation.IMAGE_GENERATION, DRAW, "insufficient_quota"),
        (tokens, Operation.IMAGE_GENERATION, DRAW, "unbounded_cost"),
        ('mchars: "15"', Operation.SPEECH, {"model": "m", "input": "Hi"}, "ok"),
        (tokens, Operation.SPEECH, {"model": "m", "input": "Hi"}, "unbounded_cost"),
        ('audio_minute: "0.006"', Operation.TRANSCRIPTION, {"model": "m"}, "unbounded_cost"),
        ('video_second: "0.1"', Operation.VIDEO, {"model": "m", "prompt": "p"}, "unbounded_cost"),
        ('video_second: "0.1"', Operation.VIDEO, {"model": "m", "prompt": "p", "seconds": "4"}, "ok"),
        (tokens, Operation.MODERATION, {"model": "m", "input": "Hi"}, "ok"),
        ("", Operation.MODERATION, {"model": "m", "input": "Hi"}, "unknown_price"),
    )):  # fmt: skip
        home = house(tmp_path / str(number), STRICT, prices)
        answers = {
            Operation.IMAGE_GENERATION: whole(IMAGES),
            Operation.SPEECH: (200, "audio/mpeg", [b"x"]),
            Operation.VIDEO: whole({"id": "v"}),
            Operation.MODERATION: whole({"results": [{"categories": {}}]}),
        }
        answer = answers.get(operation, whole({}))
        home.wire.answer = lambda _, answer=answer: answer
        assert await home.outcome(body, operation=operation) == outcome, (prices, operation)


async def test_a_video_is_asked_about_where_and_as_it_was_submitted(tmp_path: Path) -> None:
    """By the same credential, for nothing, and for as long as that credential is there."""
    keys = "[cred-a-0123456789, cred-b-0123456789]"
    provider = f"base_url: http://127.0.0.1:9/v1, keys: {keys}, allow_private: true"
    prices = 'prices: {"*": {video_second: "0.1", request: "0.5"}}'
    home = build(
        tmp_path,
        config_yaml(key=LEARNED.replace("1.00", "99"), providers=f"  up: {{{provider}, {prices}}}\n"),
    )
    home.wire.answer = lambda _: whole({"id": "upstream-1", "status": "queued"})
    names = []
    for _ in range(4):
        client = await home.serve({"model": "m", "prompt": "p", "seconds": "1"}, operation=Operation.VIDEO)
        names.append(json.loads(client.received)["id"])
    submitted = list(home.wire.keys)
    assert set(submitted) == {"cred-a-0123456789", "cred-b-0123456789"}
    spent = home.spent("key:ci")
    for operation in (Operation.VIDEO_STATUS, Operation.VIDEO_DELETE):
        home.wire.keys.clear()
        for name in names:
            client = await home.serve({"model": ""}, operation=operation, job=name)
            assert json.loads(client.received)["id"] == name
        assert home.wire.keys == submitted
    assert home.spent("key:ci") == spent == 4 * 600_000_000
    assert home.memory.records[-1].model == "m"


def test_published_prices_of_images_and_sound_are_known() -> None:
    book = PriceBook({})
    for model, usage, cost in (
        ("gpt-image-1.5", Usage(output_tokens=100, image_output_tokens=100, images=1), 3_200_000),
        ("tts-1", Usage(characters=1_000), 15_000_000),
        ("whisper-1", Usage(audio_seconds=60), 6_000_000),
    ):
        rates = book.rates("openai", model, now=1_795_176_000)
        assert rates is not None
        assert rates.cost(usage) == cost, model


async def test_names_of_jobs_are_of_use_to_their_owner_alone(tmp_path: Path) -> None:
    home = house(tmp_path, LEARNED, 'image: "1"')
    jobs = home.gateway.jobs
    secret = Secret("cred-up-0123456789")
    target = Target("up", "openai", "http://127.0.0.1:9/v1", "m", secret)
    name = jobs.name("m", target, "upstream-1", "ci")
    job = jobs.find(name, "ci")
    assert (job.model, job.target, job.mark, job.id) == ("m", "up/m", mark_of(secret), "upstream-1")
    assert jobs.name("m", target, "upstream-1", "ci") == name
    elsewhere = Jobs(Credentials((), lambda: 0.5), b"spare")
    spare = elsewhere.name("m", Target("free", "openai", "http://x", "m"), "1", "ci")
    assert elsewhere.find(spare, "ci").id == "1"
    changed = [
        name[:at] + ("A" if name[at] != "A" else "B") + name[at + 1 :] for at in range(6, len(name) - 2)
    ]
    for wrong, owner, known in (
        (name, "other", jobs),
        (name, "ci", elsewhere),
        (spare, "ci", Jobs(Credentials((), lambda: 0.5), b"another")),
        *(
            (text, "ci", jobs)
            for text in (*changed, "", "video_", "video_ä", name + "A" * 4000, "video_" + "A" * 64)
        ),
    ):
        with pytest.raises(NotFound):
            known.find(wrong, owner)


async def test_the_refusal_names_those_that_have_the_operation(tmp_path: Path) -> None:
    providers = provider_yaml("up", "dialect: anthropic") + "  echo: {}\n"
    home = build(tmp_path, config_yaml(providers=providers))
    plan = home.gateway.router.plan
    with pytest.raises(Exception, match=r"does not serve rerank\. Providers here that serve rerank: echo\."):
        plan("up/m", Operation.RERANK, Principal("p"))
    alone = build(tmp_path / "alone", config_yaml(providers=provider_yaml("up", "dialect: anthropic")))
    with pytest.raises(Exception, match=r"No provider here serves speech; openai, .*echo do\."):
        alone.gateway.router.plan("up/m", Operation.SPEECH, Principal("p"))
