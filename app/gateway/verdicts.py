"""What the end of an attempt says about who was asked: the provider as a whole, and its model. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from providers import errors as upstream

Mark = Literal["success", "failure", "nothing"]


class Verdict(NamedTuple):
    """How an attempt counts."""

    provider: Mark
    """Whether the provider can be reached."""
    model: Mark
    """Whether its model answers as it should."""


NOTHING = Verdict("nothing", "nothing")
"""Of what was not the upstream's doing: the client left, its deadline passed, we were full."""
SUCCESS = Verdict("success", "success")

_ANSWERED = Verdict("success", "nothing")
# Were a refused request a success of the model, bad requests would hide that good ones fail.
_UNREACHED = Verdict("failure", "failure")
# Nothing that the provider serves can be had.
_FAILED = Verdict("nothing", "failure")
# One model's failing must not keep callers from the others; each of those speaks for itself.

_VERDICTS: Mapping[type[upstream.UpstreamError], Verdict] = {
    upstream.UpstreamError: _FAILED,
    upstream.RequestRejected: _ANSWERED,
    # Both speak of the credential alone.
    upstream.CredentialRejected: NOTHING,
    upstream.RateLimited: NOTHING,
    upstream.Unreachable: _UNREACHED,
    upstream.Disconnected: _UNREACHED,
    upstream.StreamTruncated: _FAILED,
    upstream.Redirected: _UNREACHED,
    upstream.Overloaded: _FAILED,
    upstream.ServerFault: _FAILED,
    upstream.UpstreamTimeout: _FAILED,
    upstream.MalformedResponse: _FAILED,
}
"""A class that is not here counts as its nearest parent."""


def verdict_of(error: BaseException | None) -> Verdict:
    """Judge by what ended the attempt, None for an answer that came to its end.

    What is no `UpstreamError` has its origin on our side or the client's, and counts nothing.
    """
    if error is None:
        return SUCCESS
    known = (_VERDICTS[each] for each in type(error).__mro__ if each in _VERDICTS)
    return next(known, NOTHING)
