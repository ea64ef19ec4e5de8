"""Every configuration that the documents show can be used as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import extras
from app.config.loader import Loaded, load

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^(?P<indent>[ \t]*)```ya?ml[^\n]*\n(?P<text>.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
SECRET_FILE = re.compile(r"file:\s*[\"']?(/[\w./-]+)")
NO_CONFIGURATION = "# not a configuration"


def blocks(document: str) -> Iterator[str]:
    """Give the configurations that a Markdown document shows."""
    for match in BLOCK.finditer(document):
        indent = len(match["indent"])
        text = "\n".join(line[indent:] for line in match["text"].split("\n"))
        if not text.lstrip().startswith(NO_CONFIGURATION):
            yield text


def load_documented(text: str, directory: Path) -> Loaded:
    """Load a configuration with all that it mentions at hand: its variables are set, its secret files there."""
    for index, path in enumerate(sorted(set(SECRET_FILE.findall(text)), reverse=True)):
        secret = directory / f"secret-{index}"
        secret.write_text(f"documented-secret-{index}-0123456789")
        text = text.replace(path, str(secret))
    environ = {name: _value(name) for name in NAME.findall(text)}
    file = directory / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return load([file], environ, {})


def _value(name: str) -> str:
    return (
        "https://documented.example.com/v1"
        if name.endswith(("URL", "HOST"))
        else f"documented-{name}-0123456789"
    )


DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SHOWN = [
    pytest.param(text, id=f"{document.relative_to(ROOT)}-{index + 1}")
    for document in DOCUMENTS
    for index, text in enumerate(blocks(document.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("text", SHOWN)
def test_a_documented_configuration_loads(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: "whatever library it takes")
    load_documented(text, tmp_path)


def test_blocks_are_found() -> None:
    document = "a\n```yaml\nserver: {}\n```\n1. b\n   ```yml title=x\n   auth:\n     keys: []\n   ```\n```yaml\n# not a configuration\na: b\n```\n```sh\nx\n```\n"
    assert list(blocks(document)) == ["server: {}\n", "auth:\n  keys: []\n"]


def test_what_a_block_mentions_is_at_hand(tmp_path: Path) -> None:
    text = 'auth: {master_key: {file: /run/secrets/master}}\nproviders: {openai: {keys: ["${OPENAI_API_KEY}"], base_url: "${OPENAI_URL}"}}\n'
    loaded = load_documented(text, tmp_path)
    assert [provider.name for provider in loaded.providers] == ["openai"]
