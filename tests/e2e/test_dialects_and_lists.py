"""Cohere and Ollama in their own dialects by OpenAI's client, and the models that providers list, on a real gateway."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from tests.harness import actions as act
from tests.harness.gateway import KEY, Gateway
from tests.harness.rig import config_for, provider, start_gateway
from tests.harness.secrets import Secrets
from tests.harness.upstream import Action, Received, Upstream

pytestmark = pytest.mark.slow

MASTER = "sk-master-lists-0123456789"
CITY = "The capital of France is Paris."
TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
QUESTION: Any = [{"role": "user", "content": "What is the capital of France?"}]
PICTURE: Any = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}
]


class Lists:
    """What the upstream says of its models; None: it is down."""

    def __init__(self) -> None:
        self.models: list[dict[str, Any]] | None = [
            {"id": "seer", "context_length": 8_000, "input_modalities": ["text", "image"]},
            {"id": "reader", "context_length": 4_000, "input_modalities": ["text"]},
        ]

    def answer(self, received: Received) -> Action:
        if self.models is None:
            return act.error_reply(500)
        if received.path == "/v1/models":
            return act.json_reply({"object": "list", "data": self.models})
        return act.json_reply({"models": []})


@pytest.fixture(scope="module")
def lists() -> Lists:
    return Lists()


@pytest.fixture(scope="module")
def upstream(lists: Lists) -> Iterator[Upstream]:
    with Upstream() as running:
        running.slot("").respond(lists.answer)
        yield running


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, secrets: Secrets, upstream: Upstream
) -> Iterator[Gateway]:
    rooted = {"base_url": upstream.url}
    config = config_for(
        {
            "acme": provider(upstream, "acme"),
            "cohere": provider(upstream, "cohere", dialect="cohere", **rooted),
            "aws": provider(upstream, "aws", dialect="bedrock", **rooted),
            "local": provider(upstream, "local", dialect="ollama", **rooted),
        },
        {"careful": {"targets": ["acme/reader"], "fallback": {"context_window": ["acme/seer"]}}},
        model_lists={"refresh": "300ms"},
    )
    config["auth"]["master_key"] = MASTER
    with start_gateway(tmp_path_factory.mktemp("lists"), secrets, config) as running:
        running.eventually(lambda: "acme/reader" in listed(running), "the list of models")
        yield running


@pytest.fixture
def openai(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.base_url}/v1", api_key=KEY, max_retries=0, timeout=10) as client:
        yield client


def listed(gateway: Gateway) -> dict[str, dict[str, Any]]:
    answer = gateway.send("GET", "/v1/models", headers={"authorization": f"Bearer {KEY}"})
    assert answer.status == 200
    return {card["id"]: card for card in answer.json["data"]}


def standing(gateway: Gateway, name: str) -> dict[str, Any]:
    answer = gateway.send("GET", "/admin/v1/providers", headers={"authorization": f"Bearer {MASTER}"})
    return next(each for each in answer.json["lists"] if each["provider"] == name)


def ndjson(name: str) -> Action:
    start = act.head(200, {"content-type": "application/x-ndjson", "transfer-encoding": "chunked"})
    lines = [line + b"\n" for line in act.golden(name).splitlines()]
    return [start, *map(act.chunk, lines), act.chunk(b"")]


def test_each_dialect_talks_and_calls_whole_and_streamed(openai: OpenAI, upstream: Upstream) -> None:
    for model, answers, streams in (
        (
            "cohere/command",
            [
                act.golden_reply(f"cohere/{name}.json")
                for name in ("chat_response", "chat_response_tool_call")
            ],
            [act.golden_stream(f"cohere/{name}.sse") for name in ("stream_text", "stream_tool_call")],
        ),
        (
            "local/llama",
            [
                act.golden_reply(f"ollama_native/{name}.json")
                for name in ("chat_response", "chat_response_tool_call")
            ],
            [ndjson(f"ollama_native/{name}.ndjson") for name in ("stream_text", "stream_tool_call")],
        ),
    ):
        slot = upstream.slot(model.partition("/")[2])
        slot.script(*answers, *streams)
        said = openai.chat.completions.create(model=model, messages=QUESTION)
        assert said.choices[0].message.content == CITY
        assert said.usage is not None
        assert said.usage.completion_tokens > 0
        called = openai.chat.completions.create(model=model, messages=QUESTION, tools=[TOOL])
        (call,) = called.choices[0].message.tool_calls or ()
        assert json.loads(call.function.arguments) == {"location": "Paris"}
        with openai.chat.completions.stream(model=model, messages=QUESTION) as stream:
            assert stream.get_final_completion().choices[0].message.content == CITY
        with openai.chat.completions.stream(model=model, messages=QUESTION, tools=[TOOL]) as stream:
            (call,) = stream.get_final_completion().choices[0].message.tool_calls or ()
        assert json.loads(call.function.arguments) == {"location": "Paris"}
        assert [request.path for request in slot.requests] == [slot.requests[0].path] * 4


def test_vectors_and_rankings(gateway: Gateway, openai: OpenAI, upstream: Upstream) -> None:
    upstream.slot("embed").script(act.golden_reply("cohere/embeddings_response.json"))
    # The client asks for base64 by itself.
    vectors = openai.embeddings.create(model="cohere/embed", input=["hello", "goodbye"])
    assert vectors.data[0].embedding == pytest.approx([0.0163, -0.0083, -0.047, -0.071])
    upstream.slot("rank").script(act.golden_reply("cohere/rerank_response.json"))
    body = {"model": "cohere/rank", "query": "capital?", "documents": ["Paris", "Berlin"]}
    answer = gateway.send(
        "POST",
        "/v2/rerank",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
    )
    assert [result["index"] for result in answer.json["results"]] == [0, 1]
    upstream.slot("hear").script(act.json_reply({"text": "Hello."}))
    sound = ("a.mp3", b"ID3", "audio/mpeg")
    heard = openai.audio.transcriptions.create(model="cohere/hear", file=sound, language="en")
    assert heard.text == "Hello."
    with pytest.raises(BadRequestError, match="`cohere/hear` has to be told the `language`"):
        openai.audio.transcriptions.create(model="cohere/hear", file=sound)


def test_more_texts_than_one_request_takes(openai: OpenAI, upstream: Upstream) -> None:
    """Whether the client decodes base64, as it asks for by itself, or is given numbers."""

    def cohere(received: Received) -> Action:
        found = [[float(text), 0.5] for text in received.json["texts"]]
        units = {"billed_units": {"input_tokens": len(found)}}
        return act.json_reply({"embeddings": {"float": found}, "meta": units})

    def titan(received: Received) -> Action:
        number = float(received.json["inputText"])
        return act.json_reply({"embedding": [number, 0.5], "inputTextTokenCount": 1})

    for model, choose, count, requests in (
        ("cohere/embed-many", cohere, 200, 3),
        ("aws/amazon.titan-embed-many", titan, 5, 5),
    ):
        slot = upstream.slot(model.partition("/")[2])
        slot.respond(choose)
        texts = [str(n) for n in range(count)]
        for given in ({}, {"encoding_format": "float"}):
            before = len(slot.requests)
            answer = openai.embeddings.create(model=model, input=texts, **given)
            assert [item.embedding for item in answer.data] == [[float(n), 0.5] for n in range(count)]
            assert [item.index for item in answer.data] == list(range(count))
            assert answer.usage.prompt_tokens == answer.usage.total_tokens == count
            assert len(slot.requests) - before == requests
        with pytest.raises(BadRequestError, match="2,048"):
            openai.embeddings.create(model=model, input=["0"] * 2_049)


def test_listed_models_are_shown_with_what_is_known(gateway: Gateway, openai: OpenAI) -> None:
    cards = listed(gateway)
    assert cards["acme/reader"] | {"created": 0} == {
        "id": "acme/reader",
        "object": "model",
        "created": 0,
        "owned_by": "acme",
        "context_window": 4_000,
        "input_modalities": ["text"],
        "listed": True,
    }
    assert cards["careful"]["targets"] == ["acme/reader"]
    assert {model.id for model in openai.models.list()} >= {"careful", "acme/seer"}
    assert openai.models.retrieve("acme/seer").owned_by == "acme"


def test_the_command_shows_what_the_running_gateway_knows(gateway: Gateway) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "app.cli",
            "models",
            "--json",
            "--config",
            str(gateway.directory / "config.yaml"),
        ],
        env={**gateway.environment(), "SWITCHGEAR_SERVER__PORT": str(gateway.port)},
        cwd=gateway.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {"id": "acme/seer", "listed": True}.items() <= {row["id"]: row for row in json.loads(done.stdout)}[
        "acme/seer"
    ].items()


def test_what_does_not_fit_goes_elsewhere_or_is_refused(openai: OpenAI, upstream: Upstream) -> None:
    seer, reader = upstream.slot("seer"), upstream.slot("reader")
    for slot in (seer, reader):
        slot.script(act.golden_reply("openai/chat_response.json"))
    long: Any = [{"role": "user", "content": "word " * 5_000}]
    # A bare name finds the provider that lists it.
    assert openai.chat.completions.create(model="reader", messages=QUESTION).choices
    assert len(reader.requests) == 1
    assert openai.chat.completions.create(model="careful", messages=long).choices
    assert (len(reader.requests), len(seer.requests)) == (1, 1)
    for messages, code in ((long, "context_length_exceeded"), (PICTURE, "unsupported_input")):
        with pytest.raises(BadRequestError) as caught:
            openai.chat.completions.create(model="acme/reader", messages=messages)
        assert caught.value.code == code
        assert "acme/reader" in caught.value.message
    assert len(reader.requests) == 1, "nothing was sent"


def test_models_that_go_are_noticed_and_a_provider_that_is_down_keeps_its_list(
    gateway: Gateway, lists: Lists
) -> None:
    assert lists.models is not None
    lists.models = [*lists.models[:1], {"id": "newcomer"}]
    gateway.eventually(lambda: "acme/newcomer" in listed(gateway), "the newcomer")
    # The configuration still names it, so that it is still shown.
    assert listed(gateway)["acme/reader"]["listed"] is False
    gateway.eventually(lambda: gateway.told("models_gone", provider="acme", models=["reader"]), "word of it")
    assert gateway.metrics()['switchgear_model_changes_total{change="gone",provider="acme"}'] == 1
    assert standing(gateway, "acme")["gone"] == ["reader"]
    lists.models = None
    gateway.eventually(lambda: standing(gateway, "acme")["failure"] == "ServerFault", "the failure")
    assert "acme/newcomer" in listed(gateway)
    assert standing(gateway, "acme")["models"] == 2
