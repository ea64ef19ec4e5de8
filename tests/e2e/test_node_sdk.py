"""The official Node client works through the gateway. One node process makes all calls; each test looks at one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.harness import actions as act
from tests.harness.gateway import KEY, LIMITED_KEY, chat_body
from tests.harness.lanes import ANSWER
from tests.harness.rig import Rig, model_of
from tests.harness.upstream import Action, Slot

HERE = Path(__file__).parent / "node"
Results = Mapping[str, Any]


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """The client, installed as the lock file says. One worker installs, the others wait."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed: the Node client cannot be tried")
    lock = Path(tempfile.gettempdir()) / f"switchgear-npm-{os.getuid()}.lock"
    installed = HERE / "node_modules" / ".package-lock.json"
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        wanted = (HERE / "package-lock.json").stat().st_mtime
        if not installed.exists() or installed.stat().st_mtime < wanted:
            done = subprocess.run(
                ["npm", "ci"], cwd=HERE, capture_output=True, text=True, timeout=50, check=False
            )
            assert done.returncode == 0, done.stderr
            installed.touch()
    return HERE / "node_modules"


def scripted(slot: Slot, action: Action) -> str:
    slot.script(action)
    return model_of(slot)


def scenarios(rig: Rig) -> list[dict[str, Any]]:
    openai_stream = act.golden_stream("openai/chat_stream_text.sse")
    errors = {
        status: scripted(rig.exact(), act.error_reply(status, "the provider says no"))
        for status in (400, 404, 422, 429, 500, 503)
    }
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
    asked: dict[str, Any] = {"stream_options": {"include_usage": True}}

    def call(name: str, operation: str, model: str, key: str = KEY, **fields: Any) -> dict[str, Any]:
        return {"name": name, "operation": operation, "key": key, "body": chat_body(model, **fields)}

    exact = scripted(rig.exact(), act.golden_reply("openai/chat_response.json"))
    anthropic = scripted(rig.anthropic(), act.golden_stream("anthropic/stream_text.sse"))
    tool_calls = scripted(rig.plain(), act.golden_stream("openai/chat_stream_tool_call.sse"))
    embeddings = scripted(rig.exact(), act.golden_reply("openai/embeddings_response_base64.json"))
    broken = scripted(rig.exact(), act.golden_stream("openai/chat_stream_text.sse", [act.close], first=3))
    midway = scripted(rig.exact(), act.golden_stream("openai/chat_stream_error_midway.sse"))
    endless = scripted(rig.exact(), act.golden_stream("openai/chat_stream_text.sse", [act.hang], first=3))
    return [
        call("chat", "chat", exact),
        call("stream", "stream", scripted(rig.plain(), openai_stream)),
        call("stream-usage", "stream", scripted(rig.exact(), openai_stream), **asked),
        call("anthropic", "stream", anthropic),
        call("tools", "helper", tool_calls, tools=tools),
        {"name": "embeddings", "operation": "embed", "body": {"model": embeddings, "input": "hello"}},
        {"name": "models", "operation": "models", "body": {}},
        call("leave", "leave", endless),
        call("broken", "stream", broken),
        call("midway", "stream", midway),
        call("timeout", "chat", scripted(rig.exact(), [act.hang])),
        call("wrong-key", "chat", "fast", key="sk-wrong-0123456789abcdef"),
        call("forbidden", "chat", exact, key=LIMITED_KEY),
        *(call(f"status-{status}", "chat", model) for status, model in errors.items()),
    ]


@pytest.fixture(scope="module")
def results(rig: Rig, node_modules: Path) -> Results:
    question = {"url": f"{rig.gateway.base_url}/v1", "key": KEY, "scenarios": scenarios(rig)}
    done = subprocess.run(
        ["node", "calls.mjs"],
        cwd=HERE,
        input=json.dumps(question),
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: Results = json.loads(done.stdout)
    return answer


def test_chat(results: Results) -> None:
    answer = results["chat"]["result"]
    assert answer["content"] == ANSWER
    assert answer["requestID"]


@pytest.mark.parametrize("name", ["stream", "anthropic"])
def test_stream_without_usage(results: Results, name: str) -> None:
    answer = results[name]["result"]
    assert answer["content"] == ANSWER
    assert answer["usage"] is None


def test_stream_with_usage(results: Results) -> None:
    answer = results["stream-usage"]["result"]
    assert answer["content"] == ANSWER
    assert answer["usage"]["total_tokens"] == 32


def test_the_stream_helper_assembles_tool_calls(results: Results) -> None:
    answer = results["tools"]["result"]
    assert answer["finish_reason"] == "tool_calls"
    assert len({call["id"] for call in answer["calls"]}) == 2
    assert [json.loads(call["function"]["arguments"]) for call in answer["calls"]]


def test_embeddings_with_the_clients_default_encoding(results: Results) -> None:
    answer = results["embeddings"]["result"]
    assert answer["numbers"]
    assert answer["length"] > 0


def test_models(results: Results) -> None:
    assert "fast" in results["models"]["result"]["names"]


def test_leaving_a_stream(results: Results) -> None:
    assert results["leave"]["result"] == {"chunks": 1}


ERRORS = {
    "status-400": ("BadRequestError", 400),
    "status-404": ("NotFoundError", 404),
    "status-422": ("UnprocessableEntityError", 422),
    "status-429": ("RateLimitError", 429),
    "status-500": ("InternalServerError", 502),
    "status-503": ("InternalServerError", 503),
    "timeout": ("InternalServerError", 504),
    "wrong-key": ("AuthenticationError", 401),
    "forbidden": ("PermissionDeniedError", 403),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_has_its_class(results: Results, name: str) -> None:
    error = results[name]["error"]
    assert (error["class"], error["status"]) == ERRORS[name]
    assert error["requestID"]
    assert error["code"]


@pytest.mark.parametrize("name", ["broken", "midway"])
def test_a_stream_that_fails_midway_raises(results: Results, name: str) -> None:
    error = results[name]["error"]
    assert error["class"] == "APIError"
    assert error["seen"].startswith("The")
