"""The vendors' own SDKs: as clients of the gateway, and as judges of what the adapters send. `make vendors` runs this."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.errors import RequestRejected
from providers.registry import adapter_for
from providers.types import Call, HttpRequest, Operation
from tests.contract import recorded
from tests.harness.actions import golden_reply
from tests.harness.gateway import KEY, Gateway
from tests.harness.rig import config_for, credential_of, provider
from tests.harness.secrets import Secrets
from tests.harness.upstream import Upstream
from tests.providers.fields_asked import CHAT, OWN

PYTHON = os.environ.get("VENDORS", "")
"""They have an environment of their own, for they bring more with them than the gateway needs."""
HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="`make vendors` installs the SDKs and runs this"),
]

Json = Any
MODELS = {
    "gemini": ("gemini-2.5-flash", "gemini-3-flash"),
    "cohere": ("command-a-03-2025",),
    "mistral": ("mistral-small-latest",),
}
BESIDE_CHAT: dict[Operation, tuple[Json, ...]] = {
    Operation.EMBEDDINGS: tuple(
        {"input": ["Hello", "you"], **more}
        for more in ({}, {"dimensions": 256}, {"encoding_format": "float"}, {"encoding_format": "base64"})
    ),
    Operation.RERANK: (
        {"query": "q", "documents": ["a", {"text": "b", "title": "B"}], "return_documents": True},
        {"query": "q", "documents": ["a"], "top_n": 1, "max_tokens_per_doc": 9},
    ),
    Operation.SPEECH: (
        {"input": "Hi"},
        {"input": "Hi", "voice": "en_paul_neutral", "response_format": "wav", "stream_format": "sse"},
        {"input": "Hi", "voice": {"id": "v"}, "speed": 1.0, "user": "u"},
    ),
}
ONLY = {Operation.RERANK: "cohere", Operation.SPEECH: "mistral"}
"""What one vendor alone is asked for."""
TALK = {
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    ],
    "messages": [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "refusal": None,
            "annotations": [],
            "reasoning_content": "f tells.",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "18"},
    ],
}
THE_VENDORS_TO_REFUSE = {("mistral", "service_tier"), ("any", OWN)}
"""What travels as it is, so that newer values and fields do."""


def run(script: str, *args: str, given: str = "") -> list[Json]:
    """Run a script with the SDKs. A proxy that is not there keeps it from talking to anybody else."""
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [PYTHON, HERE / script, *args],
        input=given,
        env={"PATH": os.environ["PATH"], **nowhere, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def chats(vendor: str) -> Iterator[Json]:
    """Give every field that a chat may have, and the recorded talk."""
    for field, (before, added) in CHAT.items():
        if not {(vendor, field), ("any", field)} & THE_VENDORS_TO_REFUSE:
            yield {"messages": [{"role": "user", "content": "Hi"}], **before, **added}
    for path in sorted((recorded.GOLDEN / vendor / "translated").glob("*.json")):
        yield json.loads(path.read_text())["openai"]
    yield TALK


def sent(vendor: str, model: str, operation: Operation, body: Json) -> list[Json]:
    """Give the requests that a call makes; none where the adapter says that it cannot be."""
    target = replace(recorded.target(vendor), model=model)
    adapter = adapter_for(target.dialect, operation)
    assert adapter is not None
    try:
        request: HttpRequest = adapter.build_request(Call(operation, model, body, "abc"), target)
    except RequestRejected:
        return []
    assert isinstance(request.body, bytes)
    read = json.loads(request.body)
    return read["requests"] if operation is Operation.EMBEDDINGS and "requests" in read else [read]


def test_what_adapters_send_fits_the_types_of_the_vendors_sdks() -> None:
    lines = []
    for vendor, models in MODELS.items():
        for model in models:
            for operation, bodies in {Operation.CHAT: tuple(chats(vendor)), **BESIDE_CHAT}.items():
                if ONLY.get(operation, vendor) != vendor:
                    continue
                made = [each for body in bodies for each in sent(vendor, model, operation, body)]
                assert len(made) > len(bodies) / 3, (vendor, operation)
                lines += [json.dumps([f"{vendor} {operation}", each]) for each in made]
    assert len(lines) > 100
    # That it tells what does not fit.
    wrong = json.dumps(["gemini chat", {"contents": [{"role": "user", "parts": [{"txt": "Hi"}]}]}])
    unread, *found = run("fits.py", given="\n".join([wrong, *lines]))
    assert "txt" in str(unread), unread
    assert not found, "\n".join(json.dumps(each) for each in found)


def test_coheres_clients_rank_through_the_gateway(tmp_path: Path, secrets: Secrets) -> None:
    with Upstream() as upstream:
        coheres = provider(upstream, "coh", dialect="cohere", base_url=upstream.url)
        with Gateway(config_for({"coh": coheres, "echo": {}}, {}), tmp_path, secrets) as gateway:
            slot = upstream.slot("rerank-v4.0")
            slot.script(golden_reply("cohere/rerank_response.json"))
            address = gateway.base_url.removesuffix("/v1")
            (told,) = run("ask_cohere.py", address, KEY, f"coh/{slot.name}", "nobody/has-this")
    for client in ("v1", "v2", "async"):
        assert [each["index"] for each in told[client]["results"]] == [0, 1], client
        assert told[client]["meta"]["billed_units"]["search_units"] == 1, client
    text = "Paris is the capital of France."
    assert told["v1"]["results"][0]["document"] == {"text": text, "title": "France"}
    assert [(each.path, each.json["documents"][0]) for each in slot.requests] == [("/v2/rerank", text)] * 3
    assert slot.requests[1].json["max_tokens_per_doc"] == 4096
    assert slot.last.header("authorization") == f"Bearer {credential_of('coh')}"
    assert told["unknown"][:2] == ["NotFoundError", 404]
    assert told["bad key"][:2] == ["UnauthorizedError", 401]
    assert told["of v1 alone"][:2] == ["BadRequestError", 400]
    assert "rank_fields" in told["of v1 alone"][2]
