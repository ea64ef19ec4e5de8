"""What every end of an attempt counts as. Reliability case 91."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from app.errors import Deadline, GatewayError, LimitReached, Unavailable
from app.gateway.verdicts import NOTHING, SUCCESS, Verdict, verdict_of
from providers import errors
from providers.errors import UpstreamError, class_for_status

FAILED = Verdict("nothing", "failure")
UNREACHED = Verdict("failure", "failure")
ANSWERED = Verdict("success", "nothing")

BY_CLASS: dict[type[UpstreamError], Verdict] = {
    errors.UpstreamError: FAILED,
    errors.RequestRejected: ANSWERED,
    errors.UnsupportedParameter: ANSWERED,
    errors.ContextLengthExceeded: ANSWERED,
    errors.ContentPolicyViolation: ANSWERED,
    errors.ModelNotFound: ANSWERED,
    errors.RequestTooLarge: ANSWERED,
    errors.CredentialRejected: NOTHING,
    errors.RateLimited: NOTHING,
    errors.QuotaExhausted: NOTHING,
    errors.Overloaded: FAILED,
    errors.ServerFault: FAILED,
    errors.Unreachable: UNREACHED,
    errors.Disconnected: UNREACHED,
    errors.StreamTruncated: FAILED,
    errors.UpstreamTimeout: FAILED,
    errors.TimeoutReported: FAILED,
    errors.MalformedResponse: FAILED,
    errors.ResponseTooLarge: FAILED,
    errors.Redirected: UNREACHED,
}

BY_STATUS = {
    **dict.fromkeys((300, 301, 302, 303, 307, 308), UNREACHED),
    **dict.fromkeys((400, 404, 405, 406, 410, 411, 413, 415, 422, 451, 499), ANSWERED),
    **dict.fromkeys((401, 402, 403, 429), NOTHING),
    **dict.fromkeys((408, 409, 425), FAILED),
    **dict.fromkeys((500, 501, 502, 503, 504, 505, 520, 521, 522, 523, 524, 529, 599), FAILED),
}

NOT_THE_UPSTREAMS = [
    asyncio.CancelledError(),
    TimeoutError(),
    Deadline("the deadline that the client asked for has passed"),
    LimitReached("full", retry_after=1.0),
    Unavailable("too many calls"),
    GatewayError("a fault of ours"),
    ValueError("a fault of ours"),
    KeyboardInterrupt(),
]


def every_class(base: type[UpstreamError] = UpstreamError) -> Iterator[type[UpstreamError]]:
    """Give all that an upstream can do to us."""
    yield base
    for each in base.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from every_class(each)


@pytest.mark.parametrize("kind", list(every_class()), ids=lambda kind: kind.__name__)
def test_case_91_every_class_of_error(kind: type[UpstreamError]) -> None:
    verdict = verdict_of(kind("x"))
    assert verdict == BY_CLASS[kind]
    assert ("failure" in verdict) == kind.blames_provider


@pytest.mark.parametrize(("status", "verdict"), list(BY_STATUS.items()))
def test_case_91_every_status(status: int, verdict: Verdict) -> None:
    assert verdict_of(class_for_status(status)("x", status=status)) == verdict


def test_case_91_an_answer_that_came_to_its_end() -> None:
    assert verdict_of(None) == SUCCESS == ("success", "success")


@pytest.mark.parametrize("error", NOT_THE_UPSTREAMS, ids=lambda error: type(error).__name__)
def test_case_91_what_is_not_the_upstreams_doing_counts_nothing(error: BaseException) -> None:
    assert verdict_of(error) == NOTHING == ("nothing", "nothing")


def test_a_dialects_own_kind_of_error_counts_as_its_parent() -> None:
    class Sleeping(errors.Overloaded):
        """A model that is not loaded yet."""

    assert verdict_of(Sleeping("x")) == FAILED
