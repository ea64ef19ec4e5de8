"""Secrets: which are refused, which are read from files, and that none is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.loader import load
from app.config.problems import ConfigError
from app.config.secret_files import FileSecret
from providers.types import Secret

GOOD = "sk-0123456789abcdef"
ANOTHER = "sk-fedcba9876543210"


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("metrics: {token: ''}", "1:18: metrics.token: the secret is empty; give one, or remove the setting"),
        ("metrics: {token: '${NONE:-}'}", "1:18: metrics.token: the secret is empty; give one, or remove the setting"),
        ("auth: {keys: [{name: a, key: ''}]}", "1:30: auth.keys[0].key: the secret is empty; give one, or remove the setting"),
        ("auth: {keys: [{name: a, key: }]}", '1:29: auth.keys[0].key: must be a secret; write a text, "${NAME}", or {file: /run/secrets/name}'),
        ("metrics: {token: [a]}", '1:11: metrics.token: must be a secret; write a text, "${NAME}", or {file: /run/secrets/name}'),
        ("metrics: {token: {fiel: x}}", '1:11: metrics.token: must be a secret; write a text, "${NAME}", or {file: /run/secrets/name}'),
        ("providers: {acme: {base_url: 'https://a.test', keys: ['']}}", "1:55: providers.acme.keys[0]: the secret is empty; give one, or remove `keys` if the provider needs none"),
        ("auth: {master_key: changeme}", "1:20: auth.master_key: the secret is a placeholder; put the real one in its place"),
        ("providers: {openai: {keys: [CHANGE-ME]}}", "1:29: providers.openai.keys[0].key: the secret is a placeholder; put the real one in its place"),
        ("providers: {openai: {keys: ['<your key>']}}", "1:29: providers.openai.keys[0].key: the secret holds a space, a line break or a character beyond ASCII; it travels in a header"),
        ('auth: {master_key: "a\\nb"}', "1:20: auth.master_key: the secret holds a space, a line break or a character beyond ASCII; it travels in a header"),
    ],
)  # fmt: skip
def test_a_secret_that_is_none(complaints, text: str, line: str) -> None:
    assert complaints(text) == [f"config.yaml:{line}"]


@pytest.mark.parametrize("text", ["changeme", "secret", "password", "sk-1234", "test", "Admin", "SK-1234"])
def test_what_everybody_tries_first_guards_nothing(complaints, text: str) -> None:
    for setting in (f"auth: {{master_key: {text}}}", f"metrics: {{token: {text}}}"):
        (line,) = complaints(setting)
        assert "placeholder" in line or "everybody tries first" in line
    (line,) = complaints("", environ={"SWITCHGEAR_MASTER_KEY": text})
    assert line.startswith("environment variable SWITCHGEAR_MASTER_KEY: auth.master_key: ")


def test_a_vendors_variable_that_is_a_placeholder(complaints) -> None:
    assert complaints("", environ={"OPENAI_API_KEY": "changeme"}) == [
        "environment variable OPENAI_API_KEY: providers.openai.keys: the secret is a placeholder; put the real one in its place"
    ]
    assert complaints("", environ={"OPENAI_API_KEY": "test"}) == []


def test_keys_are_told_apart_and_long_enough(complaints) -> None:
    text = f"""
auth:
  master_key: {GOOD}
  keys:
    - {{name: ci, key: {ANOTHER}}}
    - {{name: ci, key: sk-7f3a9}}
    - {{name: b, key: {ANOTHER}}}
    - {{name: c, key: {GOOD}}}
"""
    lines = complaints(text)
    assert [line.split(": ", 1)[1].split(";")[0] for line in lines] == [
        "auth.keys[1].name: the name `ci` stands twice",
        "auth.keys[1].key: the secret is shorter than 16 characters",
        "auth.keys[2].key: the same secret as auth.keys[0].key",
        "auth.keys[3].key: the same secret as auth.master_key",
    ]
    assert lines[1].startswith("config.yaml:6:23: ")


def test_no_secret_is_ever_shown(loads, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("token-very-hidden\n")
    loaded = loads(
        """
        auth: {master_key: master-very-hidden, keys: [{name: ci, key: sk-very-very-hidden}]}
        metrics: {token: {file: token}}
        providers: {openai: {keys: [vendor-very-hidden]}, groq: {keys: [{key: "${GROQ}"}]}}
        """,
        environ={"GROQ": "groq-very-hidden", "MISTRAL_API_KEY": "mistral-very-hidden"},
    )
    shown = [
        repr(loaded),
        str(loaded),
        repr(loaded.config),
        loaded.config.model_dump_json(),
        str(loaded.config.model_dump()),
    ]
    assert not any("hidden" in text for text in shown)
    assert '"master_key":"***"' in loaded.config.model_dump_json()
    assert loaded.config.metrics.token.reveal() == "token-very-hidden"


def test_errors_show_no_secret(complaints) -> None:
    hidden = "very hidden"
    lines = complaints(
        f"""
        auth: {{master_key: "{hidden}", keys: [{{name: a, key: "{hidden}"}}, {{name: b, key: ["{hidden}"]}}, "{hidden}"]}}
        metrics: {{token: {{file: a, "{hidden}": b}}}}
        providers:
          openai: {{base_url: "https://user:{hidden.replace(" ", "-")}@a.test/v1", keys: ["{hidden}"]}}
          groq: {{keys: {{key: "{hidden}"}}}}
          mistral: {{keys: "{hidden}"}}
        """,
        environ={"XAI_API_KEY": hidden},
    )
    assert len(lines) >= 7
    assert "hidden" not in "\n".join(lines)


def test_a_secret_from_a_file(loads, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-from-the-file-0123\n")
    (tmp_path / "windows").write_text("sk-from-windows-0123\r\n", newline="")
    loaded = loads(
        """
        auth: {master_key: {file: "${WHERE}/key"}}
        providers: {openai: {keys: [{key: {file: windows}}]}, groq: {keys: [{file: key}]}}
        """,
        environ={"WHERE": str(tmp_path)},
    )
    assert loaded.config.auth.master_key.reveal() == "sk-from-the-file-0123"
    assert [each.key.reveal() for p in loaded.providers for each in p.credentials] == [
        "sk-from-windows-0123",
        "sk-from-the-file-0123",
    ]
    assert loaded.secret_files == (tmp_path / "key", Path("windows"), Path("key"))


def test_a_secret_file_that_cannot_be_used(complaints, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    (tmp_path / "placeholder").write_text("changeme")
    for name, said in {
        "empty": "the secret file empty is empty; the file must hold the secret alone",
        "bytes": "the secret file bytes is not UTF-8; the file must hold the secret alone",
        "large": "the secret file large is larger than 65536 bytes; the file must hold the secret alone",
        "nothing": "the secret file nothing cannot be read: No such file or directory; the file must hold the secret alone",
        ".": "the secret file . cannot be read: Is a directory; the file must hold the secret alone",
        "placeholder": "the secret is a placeholder; put the real one in its place",
    }.items():
        assert complaints(f"auth: {{master_key: {{file: {name}}}}}") == [
            f"config.yaml:1:8: auth.master_key: {said}"
        ]


def test_a_secret_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    clock = Clock()
    file = tmp_path / "secret"
    file.write_text("first\n")
    secret = FileSecret(file, clock)
    assert (secret.reveal(), repr(secret), bool(secret)) == ("first", "***", True)

    replace(file, "second")
    clock.now += 0.5
    assert secret.reveal() == "first"
    clock.now += 0.5
    assert secret.reveal() == "second"
    assert secret == Secret("second")


def test_a_secret_file_that_vanishes_leaves_its_last_text(tmp_path: Path) -> None:
    clock = Clock()
    file = tmp_path / "secret"
    file.write_text("first")
    secret = FileSecret(file, clock)
    for content in (None, ""):
        if content is None:
            file.unlink()
        else:
            replace(file, content)
        clock.now += 1
        assert secret.reveal() == "first"
    replace(file, "second")
    clock.now += 1
    assert secret.reveal() == "second"


@pytest.mark.parametrize(
    "text", ["", "\n", "a\nb", "a b", "tab\t", "nul\x00", "ümlaut", "\ufeffsk-x", "changeme"]
)
def test_a_secret_file_that_turns_bad_leaves_its_last_text(loads, tmp_path: Path, text: str) -> None:
    clock = Clock()
    file = tmp_path / "key"
    file.write_text(GOOD)
    loaded = loads("providers: {openai: {keys: [{file: key}]}}", clock=clock)
    (credential,) = [each.key for provider in loaded.providers for each in provider.credentials]
    replace(file, text)
    clock.now += 1
    assert credential.reveal() == GOOD
    replace(file, ANOTHER)
    clock.now += 1
    assert credential.reveal() == ANOTHER


def replace(file: Path, text: str) -> None:
    """Swap a file the way mounted secrets are swapped."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


@pytest.mark.parametrize(
    ("text", "mode", "warned"),
    [
        (f"auth: {{master_key: {GOOD}}}", 0o644, True),
        (f"auth: {{master_key: '{GOOD}'}}", 0o640, True),
        (f"auth: {{master_key: {GOOD}}}", 0o600, False),
        ("auth: {master_key: '${MASTER}'}", 0o644, False),
        ("auth: {master_key: {file: master}}", 0o644, False),
        ("server: {port: 1}", 0o644, False),
        ("providers: {openai: {keys: [sk-x]}}", 0o644, True),
    ],
)
def test_a_file_with_secrets_that_others_can_read(
    tmp_path, monkeypatch, text: str, mode: int, warned: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("master").write_text(GOOD)
    Path("a.yaml").write_text(text)
    Path("a.yaml").chmod(mode)
    loaded = load([Path("a.yaml")], {"MASTER": GOOD}, {})
    assert loaded.warnings == (
        ("a.yaml holds secrets and can be read by others: chmod 600 a.yaml",) if warned else ()
    )


def test_a_short_master_key_is_told_of(loads) -> None:
    (warning,) = loads("auth: {master_key: hunter2}").warnings
    assert warning == "auth.master_key is shorter than 16 characters: it can be guessed"


def test_problems_do_not_hide_behind_a_bad_secret_file(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("auth: {master_key: {file: nothing}}\nmodels: {a: [b]}\n")
    with pytest.raises(ConfigError) as caught:
        load([file], {}, {})
    assert len(caught.value.problems) == 2
