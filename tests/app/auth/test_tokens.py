"""Who a good token's bearer is, and for how long that is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from app.auth.tokens import REMEMBERED
from app.config.models import Config
from app.errors import GatewayError, PermissionDenied, Unauthorized
from tests.app.auth.believing import NOW, Belief, believe, issuer
from tests.harness.issuer import ISSUER, token

CONFIG = {
    "organisations": {"acme": {"models": ["gpt-*", "claude-*"], "priority": "high"}, "other": {}},
    "teams": {
        "search": {
            "organisation": "acme",
            "models": ["gpt-4o*"],
            "plan": "small",
            "metadata": {"floor": "2"},
        },
        "ops": {},
    },
    "users": {
        "jo": {"team": "search", "models": ["*-mini"], "priority": "low", "metadata": {"floor": "3"}},
        "gone": {"disabled": True},
    },
    "plans": {"small": {"limits": {"rpm": 10}}},
}
CLAIMS = {"team": "team", "organisation": "org", "models": "models", "roles": "realm.roles"}


async def known(**settings: Any) -> Belief:
    return await believe("ES256", config=Config.model_validate(CONFIG), **{"claims": CLAIMS, **settings})


async def may_use(belief: Belief, raw: bytes, *models: str) -> list[bool]:
    principal = await belief.recognise(raw)
    return [principal.may_use(model) for model in models]


async def test_a_bearer_has_what_all_above_it_have_in_common() -> None:
    belief = await known()
    principal = await belief.recognise(token(now=NOW, team="search", realm={"roles": ["viewer"]}))
    assert (principal.user, principal.team, principal.organisation) == ("jo", "search", "acme")
    assert (principal.plan, principal.plan_of, principal.priority) == ("small", "user:jo", "low")
    assert (principal.metadata, principal.roles) == ({"floor": "3"}, {"viewer"})
    allowed = {
        "gpt-4o-mini": True,
        "gpt-4o": False,
        "claude-mini": False,
        "gpt-3-mini": False,
        "x-mini": False,
    }
    assert {model: principal.may_use(model) for model in allowed} == allowed


@pytest.mark.parametrize(
    ("models", "allowed"),
    [
        (["*"], [True, False]),
        (["gpt-4o-mini", "root"], [True, False]),
        ("gpt-4o-mini other", [True, False]),
        (["claude-*"], [False, False]),
        ([], [False, False]),
        ("", [False, False]),
        (None, [True, False]),
    ],
)
async def test_the_models_claim_only_narrows(models: Any, allowed: list[bool]) -> None:
    raw = token(now=NOW, team="search", models=models)
    assert await may_use(await known(), raw, "gpt-4o-mini", "claude-mini") == allowed


@pytest.mark.parametrize(
    ("said", "team", "organisation"),
    [
        ({"sub": "al", "team": "ops", "org": "other"}, "ops", "other"),
        ({"sub": "al", "team": ["nobody", "search", "ops"]}, "search", "acme"),
        ({"sub": "al", "team": "search", "org": ["acme", "other"]}, "search", "acme"),
        # The configuration knows better than a token that does not know the team.
        ({"sub": "jo", "team": "unheard-of"}, "search", "acme"),
        ({"sub": "jo"}, "search", "acme"),
    ],
)
async def test_where_a_bearer_belongs(said: dict[str, Any], team: str, organisation: str) -> None:
    principal = await (await known()).recognise(token(now=NOW, **said))
    assert (principal.team, principal.organisation) == (team, organisation)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"team": "unheard-of"}, "There is no team `unheard-of` here"),
        ({"team": "x`\n\u202e" + "y" * 100}, "There is no team `xyyyy"),
        ({}, "names no team"),
        ({"team": ""}, "names no team"),
        ({"team": []}, "names no team"),
        ({"sub": "jo", "team": "ops"}, "in the team `ops`; here it is in another one"),
        ({"team": "search", "org": "other"}, "organisation is not the one"),
        ({"team": "ops"}, "names no organisation that is known"),
        ({"team": "ops", "org": "nobody"}, "names no organisation that is known"),
        ({"team": 7}, "`team` must be a text or a list of texts"),
        ({"team": "search", "models": {"a": 1}}, "`models` must be a text or a list of texts"),
        ({"team": "search", "sub": "a" * 201}, "1 to 200 printable"),
        ({"team": "search", "sub": "a\nb"}, "1 to 200 printable"),
    ],
)
async def test_claims_that_do_not_fit_are_403_and_say_why(said: dict[str, Any], message: str) -> None:
    belief = await known()
    with pytest.raises(PermissionDenied) as caught:
        await belief.recognise(token(now=NOW, **{"sub": "al", **said}))
    assert message in caught.value.message
    assert "\n" not in caught.value.message


async def test_a_default_team_is_for_those_whose_token_names_none() -> None:
    belief = await known(default_team="search")
    assert (await belief.recognise(token(now=NOW, sub="al"))).team == "search"
    with pytest.raises(PermissionDenied):
        await belief.recognise(token(now=NOW, sub="al", team="unheard-of"))
    everybody = await known(claims={}, default_team="search")
    assert (await everybody.recognise(token(now=NOW, sub="al", team="ops"))).team == "search"


async def test_case_42_a_disabled_user_has_no_token_that_is_taken() -> None:
    with pytest.raises(Unauthorized):
        await (await known()).recognise(token(now=NOW, sub="gone", team="search"))


async def test_case_42_two_tokens_that_begin_alike_are_two_bearers() -> None:
    belief = await believe()
    first, second = token(now=NOW, sub="jo"), token(now=NOW, sub="al")
    assert first[:60] == second[:60]
    for _ in range(2):
        assert [(await belief.recognise(raw)).user for raw in (first, second)] == ["jo", "al"]


async def test_case_42_a_token_that_expires_while_it_is_remembered_is_not_taken() -> None:
    belief = await believe()
    raw = token(now=NOW, exp=NOW + 20)
    await belief.recognise(raw)
    belief.time[0] = NOW + 19.9
    await belief.recognise(raw)
    belief.time[0] = NOW + 31
    with pytest.raises(Unauthorized, match="expired"):
        await belief.recognise(raw)


async def test_case_42_nothing_is_remembered_for_more_than_a_minute() -> None:
    belief = await believe()
    raw = token(now=NOW)
    await belief.recognise(raw)
    # The issuer takes the key back.
    belief.keys._keys = None
    belief.time[0] = NOW + 59.9
    assert (await belief.recognise(raw)).user == "jo"
    belief.time[0] = NOW + 60
    belief.wire.document = b"gone"
    with pytest.raises(Unauthorized):
        await belief.recognise(raw)


async def test_case_42_a_remembered_token_is_not_one_with_another_ending() -> None:
    belief = await believe()
    raw = token(now=NOW)
    await belief.recognise(raw)
    with pytest.raises(Unauthorized):
        await belief.recognise(raw[:-8] + b"AAAAAAAA")


async def test_the_memory_of_tokens_is_bounded() -> None:
    belief = await believe()
    principal = await belief.recognise(token(now=NOW))
    for number in range(REMEMBERED + 10):
        belief.tokens._remember(str(number), principal, NOW)
    assert len(belief.tokens._known) == REMEMBERED


async def test_two_issuers_share_no_users_and_no_keys() -> None:
    from app.auth.directory import Directory
    from app.auth.tokens import Tokens

    ours, theirs = await believe(), await believe("EdDSA")
    partner = issuer(issuer="https://partner.test", prefix="partner:", algorithms=("EdDSA",))
    both = [issuer(), partner]
    keys = {ISSUER: ours.keys, partner.issuer: theirs.keys}
    ours.tokens = Tokens(both, keys, Directory(Config()), lambda: NOW)

    async def who(raw: bytes) -> str | None:
        try:
            return (await ours.recognise(raw)).user
        except GatewayError as error:
            return error.code

    assert await who(token(now=NOW)) == "jo"
    assert await who(token("EdDSA", now=NOW, iss=partner.issuer)) == "partner:jo"
    # Each is judged by its own issuer's keys and algorithms alone.
    assert await who(token("EdDSA", now=NOW)) == "invalid_api_key"
    assert await who(token("ES256", now=NOW, iss=partner.issuer)) == "invalid_api_key"
    # And names its own users alone.
    assert await who(token(now=NOW, sub="partner:jo")) == "permission_denied"


async def test_another_claim_may_name_the_user() -> None:
    belief = await believe(claims={"user": "https://acme.test/oid"})
    assert (await belief.recognise(token(now=NOW, **{"https://acme.test/oid": "u-7"}))).user == "u-7"
    with pytest.raises(PermissionDenied, match="names no user"):
        await belief.recognise(token(now=NOW))


async def test_a_token_is_judged_from_memory_alone() -> None:
    from app.auth.authenticator import Authenticator
    from app.auth.keyring import KeyRing

    belief = await believe()
    seen = Authenticator(KeyRing([], lambda: NOW), belief.tokens)
    raw = token(now=NOW)
    assert seen.judge(raw) is None
    await belief.recognise(raw)
    assert seen.judge(raw) == await belief.recognise(raw)
    assert seen.judge(raw[:-4] + b"AAAA") is None
    belief.time[0] = NOW + 60
    assert seen.judge(raw) is None
