"""Whose tokens are taken: the issuers of JWTs, and what is read from their claims."""

from __future__ import annotations

from typing import Literal

from app.config.scalars import Flag, Listing, Maybe, SecretText, Text, Word
from app.config.section import Section

Algorithm = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "HS256",
    "HS384",
    "HS512",
]


class Claims(Section):
    """Which claim of a token says what. A dotted name leads into nested claims."""

    user: Text = "sub"
    """Names the user, for good: a claim whose value is never given to anybody else."""
    team: Maybe[Text] = None
    """Names one of `teams`; of a list, the first that is one."""
    organisation: Maybe[Text] = None
    """Names one of `organisations`."""
    models: Maybe[Text] = None
    """Lists patterns of models, which narrow what the user and the team may use; without it, nothing is narrowed."""
    roles: Maybe[Text] = None
    """Lists roles; `admin`, `operator`, `viewer` and `team_admin` are those of the admin API. Without it, tokens have none."""


class Issuer(Section):
    """An issuer of JWTs, such as an OpenID provider."""

    issuer: Text
    """The `iss` of its tokens, to the letter."""
    audience: Text
    """What must be among the `aud` of its tokens, so that one made for another service is not taken."""
    jwks_url: Maybe[Text] = None
    """Where its public keys are: https://, or http:// on this machine. Tokens never say where."""
    secret: SecretText | None = None
    """The shared secret of an issuer that signs with HS256, HS384 or HS512, and has no `jwks_url`."""
    algorithms: Listing[Algorithm] = ("RS256",)
    """What it signs with: algorithms of one family, RS, PS, ES, EdDSA or HS."""
    claims: Claims = Claims()
    """Which claim says what."""
    default_team: Maybe[Text] = None
    """The team of those whose token names none. Without it they are refused where `claims.team` is set."""
    prefix: Word = ""
    """What to put before the names of its users, so that two issuers can share none."""
    allow_private: Flag = False
    """Whether `jwks_url` may be a private address, and one with http://."""
