"""What a verified token says: is it for us and of now, and who holds it? Pure.

The registered claims are those of RFC 7519, section 4.1. Whoever holds a token is known by (`iss`, `sub`),
never by an e-mail address: the issuer's prefix stands for `iss` in the user's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from app.auth.directory import Bearer
from app.config.identities import USER_NAME_LIMIT
from app.config.issuers import Issuer
from app.errors import PermissionDenied, Unauthorized
from providers.types import Json

LEEWAY = 10.0
"""Seconds that an issuer's clock may differ from ours."""
LATEST = 10**12
"""Unix seconds, in some thirty thousand years. What is not below is a mistake, or no number at all."""
SUB_LIMIT = 255
"""Characters (OpenID Connect Core 1.0, section 2)."""

Said = Mapping[str, Json]


def check_claims(said: Said, issuer: Issuer, now: float) -> None:
    """Check for whom a token is and when it is valid, at `now` in Unix seconds. Raises `Unauthorized`."""
    expires, issued, not_before = _time(said, "exp"), _time(said, "iat"), said.get("nbf")
    if said.get("iss") != issuer.issuer:
        raise Unauthorized("The token is not by the issuer that it names.")
    audience = said.get("aud")
    if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
        raise Unauthorized("The token is not meant for this gateway: its `aud` is another one.")
    sub = said.get("sub")
    if not isinstance(sub, str) or not 0 < len(sub) <= SUB_LIMIT:
        raise Unauthorized("The token needs a `sub` that is a text.")
    if expires <= now - LEEWAY:
        raise Unauthorized("The token has expired.")
    if max(issued, issued if not_before is None else _time(said, "nbf")) > now + LEEWAY:
        raise Unauthorized("The token is not valid yet.")


def bearer_of(said: Said, issuer: Issuer) -> Bearer:
    """Say who holds a token. Raises `PermissionDenied` where its claims cannot be used."""
    claims = issuer.claims
    user = _claim(said, claims.user)
    if not isinstance(user, str) or not user:
        raise PermissionDenied(f"The token's claim `{claims.user}` names no user.")
    name = issuer.prefix + user
    if len(name) > USER_NAME_LIMIT or not name.isprintable():
        raise PermissionDenied(
            f"The user's name is not 1 to {USER_NAME_LIMIT} printable characters, prefix included."
        )
    return Bearer(
        user=name,
        teams=_names(said, claims.team),
        organisations=_names(said, claims.organisation),
        models=_words(said, claims.models),
        roles=_words(said, claims.roles) or (),
        expires=_time(said, "exp"),
        default_team=issuer.default_team,
    )


def _time(said: Said, name: str) -> float:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LATEST:
        raise Unauthorized(f"The token needs an `{name}` that is a number of seconds.")
    return value


def _claim(said: Said, name: str) -> Json:
    """Give a claim by its name, or by the way to it through others: `realm_access.roles`."""
    if name in said:
        return said[name]
    found: Json = said
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _names(said: Said, name: str | None) -> Sequence[str] | None:
    """Give the names in a claim, one or a list; None where no claim is to be read."""
    return None if name is None else _listed(said, name, lambda text: [text] if text else []) or ()


def _words(said: Said, name: str | None) -> Sequence[str] | None:
    """Give the words in a claim, a list or separated by blanks as `scope` has them; None where there is none."""
    return None if name is None else _listed(said, name, str.split)


def _listed(said: Said, name: str, split: Callable[[str], list[str]]) -> list[str] | None:
    value = _claim(said, name)
    if value is None:
        return None
    if isinstance(value, str):
        return split(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    raise PermissionDenied(f"The token's claim `{name}` must be a text or a list of texts.")
