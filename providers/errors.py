"""What an upstream can do to us: the tree, and status → error, once.

    class                      same   next   blames    the client sees
                               again? target provider
    UpstreamError
    ├── RequestRejected         no     no     no       the upstream's 4xx and message
    │   ├── UnsupportedParameter no    yes    no       400 unsupported_parameter
    │   ├── ContextLengthExceeded no   no     no       400 context_length_exceeded
    │   ├── ContentPolicyViolation no  no     no       400 content_policy_violation
    │   ├── ModelNotFound       no     yes    no       404 model_not_found
    │   └── RequestTooLarge     no     yes    no       413
    ├── CredentialRejected      no     yes    no       502 upstream_auth_error
    ├── RateLimited             yes    yes    no       429 upstream_rate_limited
    │   └── QuotaExhausted      no     yes    no       429 upstream_rate_limited
    ├── Overloaded              yes    yes    yes      503 upstream_overloaded
    ├── ServerFault             yes    yes    yes      502 upstream_error
    ├── Unreachable             yes    yes    yes      502 upstream_unreachable
    ├── Disconnected            yes    yes    yes      502 upstream_disconnected
    │   └── StreamTruncated     no     yes    yes      502 upstream_disconnected
    ├── UpstreamTimeout         no     yes    yes      504 upstream_timeout
    │   └── TimeoutReported     yes    yes    yes      504 upstream_timeout
    ├── MalformedResponse       no     yes    yes      502 upstream_invalid_response
    │   └── ResponseTooLarge    no     yes    yes      502 upstream_response_too_large
    └── Redirected              no     yes    yes      502 upstream_redirect

A class is here because it changes what the gateway does. What the client sees is decided in
`app/errors.py`. A timeout is not tried again on the same target: the provider may have billed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from providers.types import Chunk

MESSAGE_LIMIT = 2_000
"""Characters of a provider's message that are kept: enough for any that helps."""
WORD_LIMIT = 128
"""Characters of its type, code and parameter."""


class UpstreamError(Exception):
    """An attempt that failed on the provider's side or on the way to it."""

    retry_same: ClassVar[bool] = False
    """May the same target be tried again?"""
    try_next: ClassVar[bool] = True
    """May the next target of the plan be tried?"""
    blames_provider: ClassVar[bool] = True
    """Does it count against the provider's health?"""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message[:MESSAGE_LIMIT])
        self.message = message[:MESSAGE_LIMIT]
        self.status = status
        """The upstream's HTTP status, where it sent one."""
        self.type = type and type[:WORD_LIMIT]
        self.code = code and code[:WORD_LIMIT]
        self.param = param and param[:WORD_LIMIT]
        self.retry_after = retry_after
        """Seconds that the provider asks to wait, where it says so."""
        self.chunks: Sequence[Chunk] = ()
        """Chunks that were decoded from the same bytes before the error."""

    def conceal(self, *texts: str) -> None:
        """Take texts out of what the provider has said, such as the credential that it repeats."""
        for text in filter(None, texts):
            self.message = self.message.replace(text, "***")
            self.code = self.code and self.code.replace(text, "***")
            self.param = self.param and self.param.replace(text, "***")
        self.args = (self.message,)


class RequestRejected(UpstreamError):
    """The provider refuses this request and would refuse it again."""

    try_next = False
    blames_provider = False


class UnsupportedParameter(RequestRejected):
    """A field of the request that the provider cannot take; another may."""

    try_next = True

    def tell_of(self, target: str) -> None:
        """Say which `provider/model` it is that cannot, where the message does not say so."""
        if target not in self.message:
            self.message = f"`{target}`: {self.message}"
            self.args = (self.message,)


class ContextLengthExceeded(RequestRejected):
    """The prompt does not fit the model's window."""


class ContentPolicyViolation(RequestRejected):
    """The provider's policy refuses the content."""


class ModelNotFound(RequestRejected):
    """The provider does not know the model, or not for this credential."""

    try_next = True


class RequestTooLarge(RequestRejected):
    """The request is larger than this provider takes."""

    try_next = True


class CredentialRejected(UpstreamError):
    """Our credential is refused: a fault of the configuration, neither client's nor provider's."""

    blames_provider = False


class RateLimited(UpstreamError):
    """The credential is over a limit of the provider's for now."""

    retry_same = True
    blames_provider = False


class QuotaExhausted(RateLimited):
    """The credential's account is out of money or quota: waiting does not help soon."""

    retry_same = False


class Overloaded(UpstreamError):
    """The provider says that it is full."""

    retry_same = True


class ServerFault(UpstreamError):
    """The provider failed (5xx, or an error event of that kind)."""

    retry_same = True


class Unreachable(UpstreamError):
    """No connection: refused, no such name, TLS failure, connect timeout. Nothing was sent."""

    retry_same = True


class Disconnected(UpstreamError):
    """The connection broke before the answer began."""

    retry_same = True


class StreamTruncated(Disconnected):
    """The answer began and broke off before its end."""

    retry_same = False


class UpstreamTimeout(UpstreamError):
    """The provider took longer than we wait, or says that it did."""


class TimeoutReported(UpstreamTimeout):
    """The provider, or what stands before it, says itself that it took too long (408, 524)."""

    retry_same = True


class MalformedResponse(UpstreamError):
    """A 2xx answer that is not what the dialect promises."""


class ResponseTooLarge(MalformedResponse):
    """An answer, or one event of it, beyond our bound."""


class Redirected(UpstreamError):
    """A redirect, which is never followed."""


_BY_STATUS: dict[int, type[UpstreamError]] = {
    401: CredentialRejected,
    402: QuotaExhausted,
    403: CredentialRejected,
    404: ModelNotFound,
    408: TimeoutReported,
    409: ServerFault,
    413: RequestTooLarge,
    425: ServerFault,
    429: RateLimited,
    503: Overloaded,
    504: UpstreamTimeout,
    524: TimeoutReported,
    529: Overloaded,
}


def class_for_status(status: int) -> type[UpstreamError]:
    """Give the class that a bare status stands for, where nothing in the body says more."""
    if known := _BY_STATUS.get(status):
        return known
    if 300 <= status < 400:
        return Redirected
    if 400 <= status < 500:
        return RequestRejected
    return ServerFault
