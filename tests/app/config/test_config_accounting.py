"""The ledger's settings, and the webhook: a URL that is a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.urls import WEBHOOK_EXAMPLE, fault_of_own


def test_the_ledger_and_its_defaults(loads) -> None:
    ledger = loads("").config.ledger
    assert (ledger.disconnect, ledger.drain_for, ledger.max_drains) == ("cancel", 30, 100)
    assert (ledger.retention, ledger.unknown_price) == (None, "refuse")
    ledger = loads(
        "ledger: {disconnect: drain, drain_for: 1m, max_drains: 5, retention: 90d, unknown_price: allow}"
    ).config.ledger
    assert (ledger.disconnect, ledger.drain_for, ledger.max_drains) == ("drain", 60, 5)
    assert (ledger.retention, ledger.unknown_price) == (90 * 86_400, "allow")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("disconnect: drian", "disconnect: `drian` is none of cancel, drain; did you mean `drain`?"),
        ("drain_for: 0s", "drain_for: must be more than 0"),
        ("max_drains: 0", "max_drains: must be at least 1"),
        ("retention: 90", "retention: `90` has no unit; write `90s` for seconds"),
        ("retention: 0d", "retention: must be more than 0"),
        ("unknown_price: free", "unknown_price: `free` is none of refuse, allow"),
        ("retension: 5d", "retension: unknown key; did you mean `retention`?"),
    ],
)
def test_what_is_no_ledger(complaints, text: str, said: str) -> None:
    (line,) = complaints(f"ledger: {{{text}}}")
    assert f": ledger.{said}" in line


GOOD = [
    "https://hooks.acme.test/budgets",
    "https://hooks.acme.test/budgets?token=a%20b&x=/?",
    "https://1.1.1.1/",
    "http://127.0.0.1:9000/hook",
    "http://localhost:9000/hook",
    "https://[::1]/hook",
]
PRIVATE = ["https://10.0.0.1/hook", "https://169.254.169.254/x", "https://[fd00::1]/x"]
BAD = [
    ("hooks.acme.test/budgets", "must begin with https://"),
    ("ftp://hooks.acme.test", "must begin with https://"),
    ("https://", "no host"),
    ("https://?a=b", "no host"),
    ("https://u:p@a.test/x", "user name or password"),
    ("https://a.test/x#y", "`?` or `#`"),
    ("https://a.test/x?a#y", "query holds a character"),
    ("https://a.test/x?a b", "query holds a character"),
    ("https://a.test/x y", "a space or another character"),
    ("https://a.test/../x", "path holds dots"),
]


@pytest.mark.parametrize("url", GOOD)
def test_what_is_a_webhook(loads, url: str) -> None:
    said = loads(f"notifications: {{webhook: '{url}'}}").config.notifications
    assert said.webhook is not None
    assert (said.webhook.reveal(), said.allow_private) == (url, False)


@pytest.mark.parametrize("url", [*PRIVATE, "http://hooks.acme.test/x", "http://10.0.0.1/hook"])
def test_a_private_or_plain_address_needs_a_word(complaints, url: str) -> None:
    (line,) = complaints(f"notifications: {{webhook: '{url}'}}")
    said = "must begin with https://" if url.startswith("http:") else "is no public address"
    assert line.startswith("config.yaml:1:26: notifications.webhook: ")
    assert said in line
    assert "set `allow_private: true` beside it" in line
    assert complaints(f"notifications: {{webhook: '{url}', allow_private: true}}") == []


@pytest.mark.parametrize(("url", "message"), BAD)
def test_what_is_no_webhook(complaints, url: str, message: str) -> None:
    for allow_private in ("true", "false"):
        (line,) = complaints(f"notifications: {{webhook: '{url}', allow_private: {allow_private}}}")
        assert message in line
        assert line.endswith("such as `https://hooks.acme.test/budgets`")
        assert "u:p" not in line


def test_an_empty_webhook_is_a_mistake(complaints) -> None:
    assert complaints("notifications: {webhook: '${HOOK:-}'}") == [
        "config.yaml:1:26: notifications.webhook: the secret is empty; give one, or remove the setting"
    ]


def test_a_webhook_is_kept_secret(loads, tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("https://hooks.acme.test/very-hidden\n")
    loaded = loads("notifications: {webhook: {file: hook}}")
    webhook = loaded.config.notifications.webhook
    assert webhook is not None
    assert webhook.reveal() == "https://hooks.acme.test/very-hidden"
    assert loaded.secret_files == (Path("hook"),)
    assert "hidden" not in repr(loaded) + loaded.config.model_dump_json()


@given(st.text(max_size=60))
def test_any_text_can_be_asked(text: str) -> None:
    for url in (text, "https://" + text, "http://a.test/?" + text):
        fault_of_own(url, WEBHOOK_EXAMPLE, allow_private=True)
        fault_of_own(url, WEBHOOK_EXAMPLE, allow_private=False)
