"""Can an issuer of tokens be trusted as it is described? Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from app.config import urls
from app.config.credentials import Finding
from app.config.issuers import Issuer
from app.config.problems import Path

REUSED = frozenset({"email", "phone_number", "preferred_username", "name", "nickname", "upn", "unique_name"})
"""Claims that may pass from one person to another (OpenID Connect Core 1.0, section 5.7, and Entra's own)."""
JWKS_EXAMPLE = "such as `https://id.acme.test/.well-known/jwks.json`"


def findings(issuers: Sequence[Issuer]) -> Iterator[Finding]:
    """Say what is wrong with each issuer, and with them together."""
    for index, issuer in enumerate(issuers):
        path: Path = ("auth", "jwt", index)
        yield from ((path + below, message, hint) for below, message, hint in _of_one(issuer))
        yield from ((path + below, message, hint) for below, message, hint in _shared(issuers, index))


def family(algorithm: str) -> str:
    """Give the first two letters of an algorithm's name: `RS`, `PS`, `ES`, `Ed` or `HS`."""
    return algorithm[:2]


def _of_one(issuer: Issuer) -> Iterator[Finding]:
    families = sorted({family(algorithm) for algorithm in issuer.algorithms})
    if not families:
        yield ("algorithms",), "has no algorithms", "give what the issuer signs with: [RS256]"
    elif len(families) > 1:
        hint = "give algorithms of one family, such as [RS256, RS512]"
        yield ("algorithms",), f"mixes the families {', '.join(families)}", hint
    elif families == ["HS"]:
        yield from _of_shared_secret(issuer)
    else:
        yield from _of_public_keys(issuer)
    if issuer.claims.user in REUSED:
        said = f"`{issuer.claims.user}` may be given to another person, who would then be taken for the first"
        yield ("claims", "user"), said, "use `sub`, or another claim that stays with its owner"


def _of_shared_secret(issuer: Issuer) -> Iterator[Finding]:
    if issuer.jwks_url is not None:
        hint = "give `secret` alone, or algorithms of RS, PS, ES or EdDSA"
        yield ("jwks_url",), "has no meaning with a shared secret", hint
    if issuer.secret is None:
        yield (), "has no `secret`", "HS algorithms need one, which the issuer shares with the gateway"
        return
    # A key shorter than the hash is weaker than it (RFC 7518, section 3.2).
    least = max(int(algorithm[2:]) // 8 for algorithm in issuer.algorithms)
    if 0 < len(issuer.secret.reveal().encode()) < least:
        said = f"the secret is shorter than the {least} bytes that its algorithms need"
        yield ("secret",), said, "make one: openssl rand -hex 32"


def _of_public_keys(issuer: Issuer) -> Iterator[Finding]:
    if issuer.secret is not None:
        hint = "give `jwks_url` alone, or `algorithms: [HS256]`"
        yield ("secret",), "has no meaning with public keys", hint
    if issuer.jwks_url is None:
        yield (), "has no `jwks_url`", f"say where its public keys are, {JWKS_EXAMPLE}"
    elif fault := urls.fault_of_own(issuer.jwks_url, JWKS_EXAMPLE, allow_private=issuer.allow_private):
        yield ("jwks_url",), *fault


def _shared(issuers: Sequence[Issuer], index: int) -> Iterator[Finding]:
    issuer = issuers[index]
    for first, other in enumerate(itertools.islice(issuers, index)):
        if other.issuer == issuer.issuer:
            yield ("issuer",), "the same issuer stands twice", f"the first is auth.jwt[{first}]"
        elif other.prefix == issuer.prefix:
            said = f"its users cannot be told from those of auth.jwt[{first}]"
            yield ("prefix",), said, 'give one of the two a prefix of its own, such as "partner:"'
