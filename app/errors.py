"""Why *we* refuse a client: the tree, and error → status/type/code, once.

    GatewayError
    ├── BadRequest            400 invalid_request_error    (code says which)
    ├── Unauthorized          401 authentication_error     invalid_api_key
    ├── PermissionDenied      403 permission_error         permission_denied
    ├── NotFound              404 invalid_request_error    not_found | model_not_found
    ├── MethodNotAllowed      405 invalid_request_error    method_not_allowed
    ├── RequestTimeout        408 invalid_request_error    request_timeout
    ├── Conflict              409 invalid_request_error    conflict
    ├── BodyTooLarge          413 invalid_request_error    request_too_large
    ├── UriTooLong            414 invalid_request_error    uri_too_long
    ├── UnsupportedMedia      415 invalid_request_error    unsupported_encoding | unsupported_media_type
    ├── HeadersTooLarge       431 invalid_request_error    headers_too_large
    ├── LimitReached          429 rate_limit_error         rate_limit_exceeded
    ├── BudgetExceeded        429 insufficient_quota       insufficient_quota
    ├── Internal              500 server_error             internal_error
    ├── Upstream              as `from_upstream` maps it
    ├── Unavailable           503 server_error             overloaded | server_shutting_down | …
    └── Deadline              504 timeout_error            deadline_exceeded

The wire form is OpenAI's: `{"error": {"message", "type", "param", "code"}}`.
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import msgspec

from providers import errors as upstream
from providers.types import Json


class GatewayError(Exception):
    """A refusal that a client sees. The message is for the client: no secret, no address."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    default_code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code: str = code or self.default_code
        self.param = param
        self.headers = headers
        """Extra response headers, such as `retry-after`."""
        self.retry_after = retry_after
        """Seconds after which it may pass, where that is known."""

    @property
    def http_status(self) -> int:
        """The status of the answer."""
        return self.status

    @property
    def error_type(self) -> str:
        """OpenAI's `type`."""
        return self.type

    @property
    def kind(self) -> str:
        """The code as one of a fixed set, for metrics and logs: `code` may be a provider's."""
        return self.code

    def body(self) -> bytes:
        """Give the JSON body."""
        error: dict[str, Json] = {
            "message": self.message,
            "type": self.error_type,
            "param": self.param,
            "code": self.code,
        }
        return msgspec.json.encode({"error": error})


class BadRequest(GatewayError):
    """The request is wrong, and the message says what would be right."""

    status = 400
    type = "invalid_request_error"
    default_code = "invalid_request"


class InvalidConfiguration(BadRequest):
    """A configuration that was to be taken cannot be used. Told to whoever may reload it."""

    default_code = "invalid_configuration"


class Unauthorized(GatewayError):
    """No key, or one that is not valid."""

    status = 401
    type = "authentication_error"
    default_code = "invalid_api_key"

    def __init__(self, message: str = "Incorrect API key provided.") -> None:
        super().__init__(message, headers=(("www-authenticate", "Bearer"),))


class PermissionDenied(GatewayError):
    """The key is valid and may not do this."""

    status = 403
    type = "permission_error"
    default_code = "permission_denied"


class NotFound(GatewayError):
    """No such path or model."""

    status = 404
    type = "invalid_request_error"
    default_code = "not_found"


class MethodNotAllowed(GatewayError):
    """The path exists, with another method."""

    status = 405
    type = "invalid_request_error"
    default_code = "method_not_allowed"


class RequestTimeout(GatewayError):
    """The client sent its request too slowly."""

    status = 408
    type = "invalid_request_error"
    default_code = "request_timeout"


class Conflict(GatewayError):
    """Something of that name is there already."""

    status = 409
    type = "invalid_request_error"
    default_code = "conflict"


class BodyTooLarge(GatewayError):
    """The body is larger than `server.max_body`."""

    status = 413
    type = "invalid_request_error"
    default_code = "request_too_large"


class UriTooLong(GatewayError):
    """The request target is longer than the front door takes."""

    status = 414
    type = "invalid_request_error"
    default_code = "uri_too_long"


class UnsupportedMedia(GatewayError):
    """A content type or encoding that we do not take."""

    status = 415
    type = "invalid_request_error"
    default_code = "unsupported_media_type"


class HeadersTooLarge(GatewayError):
    """More header bytes or fields than the front door takes."""

    status = 431
    type = "invalid_request_error"
    default_code = "headers_too_large"


class LimitReached(GatewayError):
    """A limit has no room for the call now, or can never have."""

    status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"

    def __init__(
        self, message: str, *, retry_after: float | None, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """`retry_after` in seconds; None: waiting does not help."""
        super().__init__(message, headers=(*headers, *retry_headers(retry_after)), retry_after=retry_after)


class BudgetExceeded(GatewayError):
    """A budget has no room for the call. SDKs retry every 429, so it says not to."""

    status = 429
    type = "insufficient_quota"
    default_code = "insufficient_quota"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers=(("x-should-retry", "false"),))


class Internal(GatewayError):
    """A fault of ours. The log has the reason, under the request id."""

    def __init__(self) -> None:
        super().__init__(
            "The gateway failed to handle this request. Its log has the reason under the request id."
        )


class Unavailable(GatewayError):
    """We are full, stopping, or have nobody to ask."""

    status = 503
    type = "server_error"
    default_code = "overloaded"


def limits_unavailable(what: str) -> Unavailable:
    """Give the refusal where shared state is lost: our fault, so never a 429. `what` names the limit or budget."""
    return Unavailable(
        f"What is left of {what} cannot be told at the moment. Try again in a few seconds.",
        code="limits_unavailable",
        headers=(DEGRADED, *retry_headers(LOST_FOR)),
        retry_after=LOST_FOR,
    )


class Deadline(GatewayError):
    """The call's own deadline has passed."""

    status = 504
    type = "timeout_error"
    default_code = "deadline_exceeded"


class Upstream(GatewayError):
    """The last attempt's failure, as the client sees it."""

    def __init__(self, seen: Seen, error: upstream.UpstreamError) -> None:
        super().__init__(
            seen.message,
            code=seen.code,
            param=seen.param,
            headers=_retry_headers(error),
            retry_after=error.retry_after,
        )
        self._seen = seen

    @property
    def http_status(self) -> int:
        """The status of the answer."""
        return self._seen.status

    @property
    def error_type(self) -> str:
        """OpenAI's `type`."""
        return self._seen.type

    @property
    def kind(self) -> str:
        """The code that the table gives."""
        return self._seen.kind


class Seen(NamedTuple):
    """What a client sees of a provider's failure."""

    status: int
    type: str
    code: str
    message: str
    param: str | None
    kind: str


_FROM_UPSTREAM: tuple[tuple[type[upstream.UpstreamError], int, str, str], ...] = (
    # The first class that fits wins: subclasses stand before their parents.
    (upstream.ContextLengthExceeded, 400, "invalid_request_error", "context_length_exceeded"),
    (upstream.ContentPolicyViolation, 400, "invalid_request_error", "content_policy_violation"),
    (upstream.UnsupportedParameter, 400, "invalid_request_error", "unsupported_parameter"),
    (upstream.ModelNotFound, 404, "invalid_request_error", "model_not_found"),
    (upstream.RequestTooLarge, 413, "invalid_request_error", "request_too_large"),
    (upstream.RequestRejected, 400, "invalid_request_error", "invalid_request"),
    (upstream.CredentialRejected, 502, "server_error", "upstream_auth_error"),
    (upstream.RateLimited, 429, "rate_limit_error", "upstream_rate_limited"),
    (upstream.Overloaded, 503, "server_error", "upstream_overloaded"),
    (upstream.Unreachable, 502, "server_error", "upstream_unreachable"),
    (upstream.Disconnected, 502, "server_error", "upstream_disconnected"),
    (upstream.UpstreamTimeout, 504, "timeout_error", "upstream_timeout"),
    (upstream.ResponseTooLarge, 502, "server_error", "upstream_response_too_large"),
    (upstream.MalformedResponse, 502, "server_error", "upstream_invalid_response"),
    (upstream.Redirected, 502, "server_error", "upstream_redirect"),
    (upstream.UpstreamError, 502, "server_error", "upstream_error"),
)

_PASSED_ON = (400, 409, 410, 415, 422, 451)
"""Statuses of a provider that say to a client what they would say from us."""

LOST_FOR = 2.0
"""Seconds: a guess at how long shared state stays lost."""
DEGRADED = ("x-switchgear-limits", "degraded")
"""The header of an answer that was decided without the state that processes share."""
LONGEST_WAIT = 60.0
"""Seconds. SDKs obey longer waits badly (openai 1.x ignores them), so those say: do not retry."""


def from_upstream(error: upstream.UpstreamError) -> Upstream:
    """Give the refusal that tells a client of this failure, without the provider's secrets."""
    status, type_, kind = next((s, t, c) for known, s, t, c in _FROM_UPSTREAM if isinstance(error, known))
    message, code, param = error.message, kind, None
    if isinstance(error, upstream.RequestRejected):
        # The client's own mistake: the provider's status, words and codes are the most helpful ones.
        code = error.code or code
        param = error.param
        if type(error) is upstream.RequestRejected and error.status in _PASSED_ON:
            status = error.status
    elif isinstance(error, upstream.CredentialRejected):
        # The provider's words may show parts of the credential, and are of no use to the client.
        message = "The provider refused the gateway's credential. This is for the gateway's operator to mend."
    return Upstream(Seen(status, type_, code, message, param, kind), error)


def _retry_headers(error: upstream.UpstreamError) -> tuple[tuple[str, str], ...]:
    if error.retry_after is None:
        return retry_headers(None) if isinstance(error, upstream.QuotaExhausted) else ()
    return retry_headers(error.retry_after)


def retry_headers(wait: float | None) -> tuple[tuple[str, str], ...]:
    """Tell when to try again: seconds, rounded up so that it is never too early; None says not to."""
    if wait is None:
        return (("x-should-retry", "false"),)
    headers = (("retry-after-ms", str(math.ceil(wait * 1000))), ("retry-after", str(math.ceil(wait))))
    return (*headers, ("x-should-retry", "false")) if wait > LONGEST_WAIT else headers
