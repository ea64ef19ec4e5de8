"""What is made in place of a key, and what makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from providers.types import Head, HttpRequest

EARLY = 300.0
"""Seconds before its end at which a token is made anew, as Microsoft and Google ask for."""
SPARE = 10.0
"""Seconds before its end from which on it is not sent: it must still hold on arrival, on another clock."""


@dataclass(frozen=True, slots=True)
class Made:
    """Something that authorises requests for a while. Times in Unix seconds."""

    apply: Callable[[HttpRequest], HttpRequest] = field(repr=False)
    """Gives the request with what authorises it. Quick, and without I/O."""
    fresh_until: float
    """From then on another is made beside."""
    valid_until: float
    """From then on it is not used."""
    is_refused: Callable[[Head], bool]
    """Whether an answer says that it has ended, and another may be taken."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What of it goes over the wire and must not be seen, should a provider repeat it."""


Maker = Callable[[], Made]
"""Makes one. It may block and do I/O, and is called in a thread; whatever it raises says why it could not."""


def bearer(token: str, now: float, until: float, **more: str) -> Made:
    """Give what sends a token that is made now and ends then; `more` are headers that go with it."""
    headers = (
        ("authorization", f"Bearer {token}"),
        *((name.replace("_", "-"), text) for name, text in more.items()),
    )
    lifetime = max(until - now, 0.0)
    return Made(
        lambda request: with_headers(request, headers),
        fresh_until=now + max(lifetime - EARLY, lifetime / 2),
        valid_until=until - SPARE,
        is_refused=lambda head: head.status == 401,
        secrets=(token,),
    )


def with_headers(request: HttpRequest, headers: tuple[tuple[str, str], ...]) -> HttpRequest:
    """Give the request with these headers in place of its own of the same names, which are in lower case."""
    names = {name for name, _ in headers}
    kept = tuple(each for each in request.headers if each[0] not in names)
    return HttpRequest(request.method, request.url, (*kept, *headers), request.body)
