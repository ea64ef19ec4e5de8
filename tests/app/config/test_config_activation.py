"""Which providers are on, in which order and with what."""

from __future__ import annotations

import dataclasses

import pytest

from app.config.activation import ActiveProvider
from app.config.loader import Loaded
from providers.catalog import CATALOG
from providers.registry import adapter_for
from providers.types import Operation


def names(loaded: Loaded) -> list[str]:
    return [provider.name for provider in loaded.providers]


def keys_of(provider: ActiveProvider) -> list[str]:
    return [each.key.reveal() for each in provider.credentials]


def test_the_embedded_provider_is_on_when_nothing_else_is(loads) -> None:
    loaded = loads("")
    assert names(loaded) == ["echo"]
    assert loaded.providers[0].transport == "embedded"
    assert loaded.notices == ()


def test_a_vendors_variable_switches_its_provider_on(loads) -> None:
    loaded = loads("", environ={"GROQ_API_KEY": "gsk-1", "OPENAI_API_KEY": "sk-1", "MISTRAL_API_KEY": ""})
    assert names(loaded) == ["openai", "groq"]
    openai = loaded.providers[0]
    assert keys_of(openai) == ["sk-1"]
    row = CATALOG["openai"]
    for field in (
        "base_url",
        "dialect",
        "quirks",
        "headers",
        "patterns",
        "operations",
        "transport",
        "allow_private",
    ):
        assert getattr(openai, field) == getattr(row, field)


def test_providers_stand_in_the_order_of_the_file_then_of_the_catalogue(loads) -> None:
    text = "providers: {zeta: {base_url: 'https://z.test/'}, groq: {}, echo: {}}"
    environ = {"GROQ_API_KEY": "g", "ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "o"}
    assert names(loads(text, environ=environ)) == ["zeta", "groq", "echo", "openai", "anthropic"]


def test_the_embedded_provider_stands_beside_others_only_when_named(loads) -> None:
    assert names(loads("", environ={"OPENAI_API_KEY": "o"})) == ["openai"]
    assert names(loads("providers: {echo: {}}", environ={"OPENAI_API_KEY": "o"})) == ["echo", "openai"]


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        ("providers: {openai: {}}", "openai is off: it has no key; set OPENAI_API_KEY"),
        ("providers: {openai: {keys: []}}", "openai is off: it has no key; set OPENAI_API_KEY"),
        (
            "providers: {openai: {keys: ['${OPENAI_API_KEY:-}']}}",
            "openai is off: its key is empty; set OPENAI_API_KEY",
        ),
    ],
)
def test_a_provider_without_its_key_is_off_and_that_is_said(loads, text: str, notice: str) -> None:
    loaded = loads(text)
    assert names(loaded) == ["echo"]
    assert loaded.notices == (notice,)


def test_the_files_key_goes_before_the_vendors_variable(loads) -> None:
    environ = {"OPENAI_API_KEY": "sk-variable"}
    (openai,) = loads("providers: {openai: {keys: [sk-file]}}", environ=environ).providers
    assert keys_of(openai) == ["sk-file"]
    (openai,) = loads("providers: {openai: {keys: ['']}}", environ=environ).providers
    assert keys_of(openai) == ["sk-variable"]


def test_several_keys_are_one_providers_and_empty_ones_are_left_out(loads) -> None:
    (openai,) = loads(
        """
        providers:
          openai:
            keys:
              - {key: sk-1, weight: 3, models: ["gpt-4*", o3]}
              - "${NONE:-}"
              - sk-3
        """
    ).providers
    first, third = openai.credentials
    assert (first.key.reveal(), first.position, first.weight) == ("sk-1", 0, 3)
    assert (third.key.reveal(), third.position, third.weight) == ("sk-3", 2, 1)
    assert [first.covers(model) for model in ("gpt-4o", "o3", "o3-mini")] == [True, True, False]
    assert third.covers("anything")


def test_without_a_key_for_everything_some_models_are_nobodys(loads) -> None:
    (openai,) = loads("providers: {openai: {keys: [{key: sk-1, models: ['gpt-*']}]}}").providers
    assert (openai.has_credential_for("gpt-4o"), openai.has_credential_for("o3")) == (True, False)
    (ollama,) = loads("providers: {ollama: }").providers
    assert ollama.has_credential_for("llama")


def test_a_row_that_needs_no_key_is_on_when_named(loads) -> None:
    (ollama,) = loads("providers: {ollama: }").providers
    assert (ollama.name, ollama.credentials, ollama.allow_private) == ("ollama", (), True)
    (ollama,) = loads("providers: {ollama: {keys: ['']}}").providers
    assert ollama.credentials == ()


@pytest.mark.parametrize(
    ("value", "base_url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:1234", "http://0.0.0.0:1234/v1"),
        ("gpu.test", "http://gpu.test:11434/v1"),
        ("[::1]", "http://[::1]:11434/v1"),
        ("[::1]:5", "http://[::1]:5/v1"),
        ("http://gpu.test:80", "http://gpu.test:80/v1"),
        ("http://gpu.test:80/", "http://gpu.test:80/v1"),
        ("https://gpu.test/ollama/v1/", "https://gpu.test/ollama/v1"),
    ],
)
def test_a_servers_own_variable_gives_its_address(loads, value: str, base_url: str) -> None:
    (ollama,) = loads("", environ={"OLLAMA_HOST": value}).providers
    assert (ollama.name, ollama.base_url) == ("ollama", base_url)


def test_a_servers_variable_that_is_wrong_is_named(complaints) -> None:
    assert complaints("", environ={"OLLAMA_HOST": "http://user:pass@host"}) == [
        "environment variable OLLAMA_HOST: providers.ollama.base_url: the URL holds a user name or password; put the credential under `keys`"
    ]


def test_the_files_base_url_goes_before_the_servers_variable(loads) -> None:
    text = "providers: {ollama: {base_url: 'http://10.1.1.1:1/v1/'}}"
    assert loads(text, environ={"OLLAMA_HOST": "gpu.test"}).providers[0].base_url == "http://10.1.1.1:1/v1"


def test_settings_lie_over_the_row(loads) -> None:
    text = """
    providers:
      blackbox:
        keys: [k]
        exact: true
        rename: {user: account}
        drop: [logit_bias]
        models: [bb-*]
        max_tokens: 100
        allow_private: true
        base_url: http://192.168.1.1
        timeouts: {connect: 1s}
    """
    (provider,) = loads(text).providers
    row = CATALOG["blackbox"]
    assert provider.quirks == dataclasses.replace(row.quirks, exact=True)
    assert provider.rename == {**row.rename, "user": "account"}
    assert provider.drop == row.drop | {"logit_bias"}
    assert (provider.patterns, provider.max_tokens, provider.allow_private) == (("bb-*",), 100, True)
    assert (provider.timeouts.connect, provider.timeouts.idle) == (1, 120)
    assert provider.operations == row.operations


def test_any_server_that_speaks_openai(loads) -> None:
    (acme,) = loads("providers: {acme: {base_url: 'https://api.acme.test/v1/'}}").providers
    assert (acme.dialect, acme.base_url, acme.credentials) == ("openai", "https://api.acme.test/v1", ())
    assert acme.quirks.exact is False
    assert acme.operations == {each for each in Operation if adapter_for("openai", each)}


def test_another_dialect_brings_its_own_operations(loads) -> None:
    (acme,) = loads("providers: {acme: {base_url: 'https://a.test', dialect: anthropic}}").providers
    assert acme.operations == frozenset({Operation.CHAT})


def test_targets_of_a_provider_that_is_off_are_told_of(loads) -> None:
    loaded = loads(
        "models: {fast: [openai/a, groq/b, other], other: [echo/x]}", environ={"GROQ_API_KEY": "g"}
    )
    assert loaded.notices == (
        "models.fast: openai/a is skipped, since openai is off",
        "models.other: echo/x is skipped, since echo is off",
    )


def test_a_key_in_the_clear_is_told_of(loads) -> None:
    (warning,) = loads("providers: {acme: {base_url: 'http://a.test', keys: [k]}}", environ={}).warnings[:1]
    assert warning == "acme gets its key unencrypted: its base_url is http://"
    private = "providers: {acme: {base_url: 'http://10.0.0.1', allow_private: true, keys: ['${K}']}}"
    assert loads(private, environ={"K": "k"}).warnings == ()


def test_chains_may_share_what_they_lead_to(loads) -> None:
    text = "models: {a: [b, c], b: [d], c: [d], d: [echo/x]}"
    assert list(loads(text).config.chains) == ["a", "b", "c", "d"]


def test_every_row_of_the_catalogue_can_be_switched_on(loads) -> None:
    text = "providers:\n" + "".join(f"  {name}: {{keys: [sk-{name}-key]}}\n" for name in CATALOG)
    loaded = loads(text)
    assert names(loaded) == list(CATALOG)
    assert loaded.notices == ()
