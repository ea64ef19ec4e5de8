"""Organisations, teams, users and issuers: what is wrong is said at its place, with what would be right."""

from __future__ import annotations

import pytest

KEY = "sk-of-the-test-0123456789"
GOOD = "issuer: https://id.acme.test, audience: gateway"
URL = "jwks_url: https://id.acme.test/keys"


def keyed(more: str) -> str:
    return f"auth: {{keys: [{{name: a, key: {KEY}, {more}}}]}}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            keyed("team: serch") + "teams: {search: }",
            "auth.keys[0].team: there is no team `serch`; did you mean `search`?",
        ),
        (keyed("user: jo"), "auth.keys[0].user: there is no user `jo`; name it under `users`"),
        (
            keyed("plan: smal") + "plans: {small: }",
            "auth.keys[0].plan: there is no plan `smal`; did you mean `small`?",
        ),
        (
            "teams: {a: {organisation: acm}}\norganisations: {acme: }",
            "teams.a.organisation: there is no organisation `acm`; did you mean `acme`?",
        ),
        ("teams: {a: {plan: x}}", "teams.a.plan: there is no plan `x`; name it under `plans`"),
        (
            "organisations: {a: {plan: x}}",
            "organisations.a.plan: there is no plan `x`; name it under `plans`",
        ),
        ("users: {jo: {team: x}}", "users.jo.team: there is no team `x`; name it under `teams`"),
        ("users: {jo: {plan: x}}", "users.jo.plan: there is no plan `x`; name it under `plans`"),
        (
            keyed("team: b, user: jo") + "users: {jo: {team: a}}\nteams: {a: , b: }",
            "auth.keys[0].team: the user `jo` is in the team `a`, not in `b`; remove one of the two",
        ),
        ("teams: {a: {organization: b}}", "teams.a.organization: unknown key; did you mean `organisation`?"),
        ("teams: {a: {priority: urgent}}", "teams.a.priority: `urgent` is none of low, normal, high"),
        (
            "teams: {a: {limits: null}}",
            "teams.a.limits: is blank, which is no limit at all; write what is meant below it, or remove the key",
        ),
        (
            f"users: {{{'u' * 201}: }}",
            f"users.{'u' * 201}: cannot be a name; use 1 to 200 printable characters",
        ),
    ],
)
def test_who_belongs_where(complaints, text: str, said: str) -> None:
    (line,) = complaints(text)
    assert line.split(": ", 1)[1] == said


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        (f"audience: a, {URL}", "[0].issuer: is missing; this setting has no default"),
        (f"issuer: a, {URL}", "[0].audience: is missing; this setting has no default"),
        (f"issuer: '', audience: a, {URL}", "[0].issuer: must not be empty"),
        (f"issuer: a, audience: '${{UNSET:-}}', {URL}".replace("'$", '"$').replace("}'", '}"'), "[0].audience: must not be empty"),
        (GOOD, "[0]: has no `jwks_url`; say where its public keys are, such as `https://id.acme.test/.well-known/jwks.json`"),
        (f"{GOOD}, jwks_url: http://id.acme.test/keys", "[0].jwks_url: the URL must begin with https://; set `allow_private: true` beside it if the way there is private"),
        (f"{GOOD}, jwks_url: https://10.0.0.1/keys", "[0].jwks_url: 10.0.0.1 is no public address; set `allow_private: true` beside it if that is meant"),
        (f"{GOOD}, jwks_url: file:///etc/passwd", "[0].jwks_url: the URL must begin with https:// or http://; such as `https://id.acme.test/.well-known/jwks.json`"),
        (f"{GOOD}, {URL}, algorithms: []", "[0].algorithms: has no algorithms; give what the issuer signs with: [RS256]"),
        (f"{GOOD}, {URL}, algorithms: [RS256, ES256]", "[0].algorithms: mixes the families ES, RS; give algorithms of one family, such as [RS256, RS512]"),
        (f"{GOOD}, {URL}, algorithms: [RS256, HS256]", "[0].algorithms: mixes the families HS, RS; give algorithms of one family, such as [RS256, RS512]"),
        (f"{GOOD}, {URL}, secret: {'s' * 32}", "[0].secret: has no meaning with public keys; give `jwks_url` alone, or `algorithms: [HS256]`"),
        (f"{GOOD}, {URL}, algorithms: [HS256], secret: {'s' * 32}", "[0].jwks_url: has no meaning with a shared secret; give `secret` alone, or algorithms of RS, PS, ES or EdDSA"),
        (f"{GOOD}, algorithms: [HS256]", "[0]: has no `secret`; HS algorithms need one, which the issuer shares with the gateway"),
        (f"{GOOD}, algorithms: [HS256], secret: ''", "[0].secret: the secret is empty; give one, or remove the setting"),
        (f"{GOOD}, algorithms: [HS256], secret: {'s' * 31}", "[0].secret: the secret is shorter than the 32 bytes that its algorithms need; make one: openssl rand -hex 32"),
        (f"{GOOD}, algorithms: [HS256, HS512], secret: {'s' * 63}", "[0].secret: the secret is shorter than the 64 bytes that its algorithms need; make one: openssl rand -hex 32"),
        (f"{GOOD}, {URL}, default_team: a", "[0].default_team: there is no team `a`; name it under `teams`"),
        (f"{GOOD}, {URL}, claims: {{user: email}}", "[0].claims.user: `email` may be given to another person, who would then be taken for the first; use `sub`, or another claim that stays with its owner"),
        (f"{GOOD}, {URL}, claims: {{user: ''}}", "[0].claims.user: must not be empty"),
        (f"{GOOD}, {URL}}}, {{{GOOD}, {URL}, prefix: x", "[1].issuer: the same issuer stands twice; the first is auth.jwt[0]"),
        (f"{GOOD}, {URL}}}, {{issuer: b, audience: b, {URL}", '[1].prefix: its users cannot be told from those of auth.jwt[0]; give one of the two a prefix of its own, such as "partner:"'),
    ],
)  # fmt: skip
def test_case_33_an_issuer_that_cannot_be_trusted_stops_the_start(complaints, issuer: str, said: str) -> None:
    (line,) = complaints(f"auth: {{jwt: [{{{issuer}}}]}}")
    assert line.split(": ", 1)[1] == "auth.jwt" + said


def test_alg_none_is_no_choice(complaints) -> None:
    (line,) = complaints(f"auth: {{jwt: [{{{GOOD}, {URL}, algorithms: [none]}}]}}")
    assert "`none` is none of RS256" in line


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/keys", "http://[::1]/keys", "https://id.acme.test/keys?v=2"]
)
def test_where_keys_may_be(loads, url: str) -> None:
    assert loads(f"auth: {{jwt: [{{{GOOD}, jwks_url: '{url}'}}]}}").config.auth.jwt[0].jwks_url == url


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("10.0.0.1/8", "`10.0.0.1/8` has bits beyond its mask; write `10.0.0.0/8`"),
        ("proxy", "`proxy` is no network; write an address or a network, such as `10.0.0.0/8`"),
        ("10.0.0.0/33", "`10.0.0.0/33` is no network; write an address or a network, such as `10.0.0.0/8`"),
    ],
)
def test_networks_of_proxies(loads, complaints, written: str, said: str) -> None:
    assert complaints(f"server: {{trusted_proxies: [10.1.2.3, '{written}']}}") == [
        f"config.yaml:1:38: server.trusted_proxies[1]: {said}"
    ]
    networks = loads(
        "server: {trusted_proxies: [10.1.2.3, 'fd00::/8', 10.0.0.0/8]}"
    ).config.server.trusted_proxies
    assert list(map(str, networks)) == ["10.1.2.3/32", "fd00::/8", "10.0.0.0/8"]
