"""Who stays at one target, so that its prompt cache is warm: weighted rendezvous hashing. Pure.

Each pair of a caller and a target has a score of its own, and the targets follow in the order of
the scores. So a target that comes or goes moves only the callers that it gains or loses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from app.gateway.balance import Ask, Balancer, Option, wait

Identity = Callable[[Ask], str]
"""Says who is calling; nothing where that is not said."""

USER_FIELDS = ("user", "safety_identifier", "prompt_cache_key")
"""Request fields of OpenAI's that tell an application's users apart, the first that is there."""
_BITS = 53
"""Of a hash: as many as a float holds, so that the highest stays under 1."""


@dataclass(frozen=True, slots=True)
class Sticky:
    """By who is calling; where that is not said, as another balancer orders them."""

    identity: Identity
    otherwise: Balancer

    def order(self, options: Sequence[Option], ask: Ask) -> Sequence[Option]:
        """Sort by the scores of this caller."""
        if not (who := self.identity(ask)):
            return self.otherwise.order(options, ask)
        key = blake2b(who.encode("utf-8", "surrogatepass"), digest_size=32).digest()
        return sorted(options, key=lambda each: _score(key, each))

    def why(self, option: Option, ask: Ask) -> str:
        """Say that the caller decides."""
        if not self.identity(ask):
            return self.otherwise.why(option, ask)
        return f"by the caller's hash, weight {option.weight}"


def user_of(ask: Ask) -> str:
    """Say which user of which key is calling; all of a key's calls that name nobody are one user's."""
    given = (ask.call.body.get(name) for name in USER_FIELDS)
    return f"{ask.key}\n{next((text for text in given if isinstance(text, str) and text), '')}"


def session_of(ask: Ask) -> str:
    """Say which session of which key it is, if the client says so."""
    return f"{ask.key}\n{ask.call.session}" if ask.call.session else ""


IDENTITIES: Mapping[Literal["user", "session"], Identity] = {"user": user_of, "session": session_of}
"""By what `sticky` says."""


def _score(key: bytes, option: Option) -> float:
    """Give the caller's wait for the option: the hash is its luck, and stays the same."""
    drawn = blake2b(option.name.encode(), digest_size=8, key=key).digest()
    return wait(option.weight, (int.from_bytes(drawn) >> (64 - _BITS)) / (1 << _BITS))
