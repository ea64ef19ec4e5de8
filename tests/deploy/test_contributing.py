"""The two ways that CONTRIBUTING.md shows, walked as they are written: a provider without code, and a new dialect."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openai import BadRequestError, OpenAI

from tests.harness import actions as act
from tests.harness.gateway import KEY, Gateway
from tests.harness.rig import config_for, credential_of
from tests.harness.secrets import Secrets
from tests.harness.upstream import Upstream

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
HELLO: Any = [{"role": "user", "content": "Hello"}]


def shown(language: str, after: str) -> list[str]:
    """Give the blocks of code of one section."""
    section = GUIDE.partition(after)[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


(PROVIDER,) = shown("yaml", "## Add a provider that speaks OpenAI")
ADAPTER, LINE = shown("python", "## Add a dialect")


def test_a_provider_is_four_lines_and_a_dialect_is_a_module_and_a_line() -> None:
    assert len(PROVIDER.strip().split("\n")) == 4
    assert len(LINE.strip().split("\n")) == 1
    defined = {node.name for node in ast.parse(ADAPTER).body if isinstance(node, ast.FunctionDef)}
    assert defined >= {"build_request", "parse_response", "open_stream"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the sources with the folder and the line that the guide shows."""
    tree = tmp_path_factory.mktemp("walk") / "sources"
    shutil.copytree(ROOT / "providers", tree / "providers", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "app").symlink_to(ROOT / "app")
    folder = tree / "providers" / "parrot"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Parrot\'s dialect (https://parrot.test/docs)."""\n')
    (folder / "chat.py").write_text(ADAPTER)
    registry = tree / "providers" / "registry.py"
    before = registry.read_text()
    imported = "from providers.parrot import chat as parrot_chat\nfrom providers.types import Operation"
    after = before.replace("from providers.types import Operation", imported)
    after = after.replace('        "echo": Dialect(', f'{LINE}        "echo": Dialect(')
    assert after.count("parrot_chat") == 2
    registry.write_text(after)
    return tree


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tree: Path, secrets: Secrets, upstream: Upstream) -> Iterator[Gateway]:
    key = credential_of("acme")
    acme = yaml.safe_load(PROVIDER.replace("${ACME_API_KEY}", key))["providers"]["acme"]
    assert acme.keys() == {"base_url", "keys"}
    acme |= {"base_url": f"{upstream.url}/v1", "allow_private": True}
    bird = {
        "base_url": upstream.url,
        "allow_private": True,
        "dialect": "parrot",
        "keys": [credential_of("bird")],
    }
    config = config_for({"acme": acme, "bird": bird}, {})
    with Gateway(config, tree.parent, secrets, env={"PYTHONPATH": str(tree)}) as running:
        yield running


@pytest.mark.slow
def test_both_answer_on_a_real_gateway(gateway: Gateway, upstream: Upstream) -> None:
    upstream.slot("large").script(act.golden_reply("openai/chat_response.json"))
    lines = [b'{"said": "Hel"}\n', b'{"said": "lo"}\n', b'{"heard": 3, "spoken": 2}\n']
    start = act.head(200, {"content-type": "application/x-ndjson", "transfer-encoding": "chunked"})
    bird = upstream.slot("grey")
    bird.script(act.reply(b"".join(lines)), [start, *map(act.chunk, lines), act.chunk(b"")])
    with OpenAI(base_url=f"{gateway.base_url}/v1", api_key=KEY, max_retries=0, timeout=10) as client:
        assert client.chat.completions.create(model="acme/large", messages=HELLO).choices
        said = client.chat.completions.create(model="bird/grey", messages=HELLO)
        assert said.choices[0].message.content == "Hello"
        assert said.usage is not None
        assert said.usage.total_tokens == 5
        with client.chat.completions.stream(model="bird/grey", messages=HELLO) as stream:
            assert stream.get_final_completion().choices[0].message.content == "Hello"
        with pytest.raises(BadRequestError) as caught:
            client.chat.completions.create(model="bird/grey", messages=HELLO, seed=1)
        assert caught.value.param == "seed"
    assert [json.loads(request.body) for request in bird.requests] == [
        {"model": "grey", "words": ["Hello"]}
    ] * 2


@pytest.mark.slow
def test_the_new_dialect_passes_the_house_rules(tree: Path) -> None:
    module = tree / "providers" / "parrot" / "chat.py"
    checks = [["ruff", "format", "--check", "--diff"], ["ruff", "check", "--ignore", "ARG001"]]
    for check in checks:
        command = [sys.executable, "-m", *check, "--config", str(ROOT / "pyproject.toml"), str(module)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tree)
        assert done.returncode == 0, done.stdout + done.stderr
