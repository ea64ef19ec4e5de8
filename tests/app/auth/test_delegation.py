"""What one may grant to another: patterns within patterns, and roles that only tokens bring."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.delegation import _covers, excess, rights_of
from app.auth.principal import Principal
from app.auth.roles import Permission, authorize, grantable
from app.config.models import Config
from app.errors import PermissionDenied

PATTERNS = st.text("ab*?[]!-", min_size=1, max_size=5)


@given(wide=PATTERNS, narrow=PATTERNS, name=st.text("ab[]!-", max_size=5))
def test_case_46_a_pattern_that_is_covered_fits_nothing_that_the_other_does_not(wide, narrow, name):
    if _covers(wide, narrow) and fnmatchcase(name, narrow):
        assert fnmatchcase(name, wide)


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        ("*", "openai/*", True),
        ("openai/*", "openai/gpt-*", True),
        ("openai/*", "openai/gpt-4o", True),
        ("openai/*", "*", False),
        ("openai/*", "open*", False),
        ("a?", "a*", False),
        ("*b]", "[ab]", False),
    ],
)
def test_a_pattern_within_another(wide, narrow, covers):
    assert _covers(wide, narrow) is covers


def token(*roles: str, team: str | None = None) -> Principal:
    return Principal("user:ann", expires=10.0, by_token=True, user="ann", team=team, roles=frozenset(roles))


def test_roles_of_a_token_count_and_words_that_are_no_roles_give_nothing():
    assert authorize(token("viewer", "email"), Permission.READ).team is None
    assert authorize(token("team_admin", team="red"), Permission.WRITE_KEYS).team == "red"
    for principal, permission in (
        (token("root", "master", "Admin", "admin "), Permission.READ),
        (token("team_admin"), Permission.WRITE_KEYS),
        (token("team_admin", team="red"), Permission.READ),
        (token("viewer", team="red"), Permission.WRITE_KEYS),
        (token("operator"), Permission.WRITE_KEYS),
    ):
        with pytest.raises(PermissionDenied):
            authorize(principal, permission)
    assert grantable(frozenset({"operator", "root"})) == {"operator", "viewer"}


def test_a_key_that_the_bearer_of_a_token_makes_may_outlive_the_token_and_nothing_else():
    config = Config.model_validate({"users": {"ann": {"limits": {"rpm": "5"}}}})
    creator = rights_of(token("team_admin", team="red"), config)
    wanted = Principal("app", team="red")
    assert excess(creator, rights_of(wanted, config)) == "limits"
    assert excess(creator, rights_of(Principal("app", user="ann", team="red"), config)) is None
    none_at_all = Principal("user:ann", by_token=True, within=((),))
    assert excess(rights_of(none_at_all, Config()), rights_of(Principal("app"), Config())) == "models"
