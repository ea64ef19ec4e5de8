"""`auth`: credentials that are made, and the libraries that it takes."""

from __future__ import annotations

import pytest

from app.config import extras

BEDROCK = "providers: {{bedrock: {{auth: aws, options: {{region: eu-west-1}}{0}}}}}"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: object())


@pytest.mark.usefixtures("installed")
def test_a_provider_is_on_without_a_key_where_its_credential_is_made(loads) -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": "a-key-that-is-not-used"}
    (bedrock,) = loads(BEDROCK.format(", identity: prod"), environ=environ).providers
    assert (bedrock.auth, bedrock.identity) == ("aws", "prod")
    assert bedrock.base_url == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    (credential,) = bedrock.credentials
    assert not credential.key
    assert bedrock.has_credential_for("any-model")
    (plain,) = loads("providers: {openai: {keys: [k]}}").providers
    assert (plain.auth, plain.identity) == ("key", None)


@pytest.mark.usefixtures("installed")
def test_what_would_have_no_effect_is_refused(complaints) -> None:
    (line,) = complaints(BEDROCK.format(", keys: [k1]"))
    assert "providers.bedrock.keys: `auth: aws` takes no keys; remove them, or set `auth: key`" in line
    (line,) = complaints("providers: {openai: {keys: [k1], identity: prod}}")
    assert "providers.openai.identity: `identity` is for credentials that are made" in line
    (line,) = complaints("providers: {openai: {auth: kerberos}}")
    assert "`kerberos` is none of key, aws, google, entra" in line


def test_a_library_that_is_missing_is_named_with_what_installs_it(complaints, monkeypatch) -> None:
    def nowhere(module: str) -> None:
        if "." in module:
            raise ModuleNotFoundError(module)

    monkeypatch.setattr(extras, "find_spec", nowhere)
    for auth, extra in [("aws", "bedrock"), ("google", "vertex"), ("entra", "azure")]:
        (line,) = complaints(f"providers: {{acme: {{base_url: 'https://a.test', auth: {auth}}}}}")
        assert f"providers.acme.auth: `{auth}` needs a library that is not installed" in line
        assert f"pip install 'switchgear[{extra}]'" in line
