"""The answers to calls that may not come in: all that does not change from call to call is rendered once."""

from __future__ import annotations

import math
from typing import NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.api.asgi import RawHeaders
from app.errors import GatewayError, Unauthorized, Unavailable
from app.limits.places import Reason

_AGAIN = "Try again in a moment."
_MESSAGES: dict[Reason, str] = {
    "total": f"As many calls are under way as `server.max_inflight` lets in. {_AGAIN}",
    "priority": f"The places that are left are kept for keys of a higher priority. {_AGAIN}",
    "tenant": f"This key has its share of the calls under way, and others wait. {_AGAIN}",
    "lag": f"More calls come in than can be begun. {_AGAIN}",
    "memory": f"There is no memory left for more calls. {_AGAIN}",
}
_HEAD = b"%bcontent-type: application/json\r\ncontent-length: %d\r\n%bx-request-id: "


class TurnedAway(NamedTuple):
    """A call that may not come in, and its answer in parts."""

    head: bytes
    """Up to the value of its `x-request-id`."""
    request_id: str
    varying: bytes
    """Further lines of the head, each with its end."""
    body: bytes

    def render(self, fixed: bytes, *, close: bool) -> bytes:
        """Give the whole answer; `fixed` are the lines that all answers have."""
        closing = b"connection: close\r\n" if close else b""
        parts = self.head, self.request_id.encode(), b"\r\n", self.varying, closing, fixed, b"\r\n", self.body
        return b"".join(parts)


class Form(NamedTuple):
    """What the answers to one error have in common."""

    head: bytes
    body: bytes

    @classmethod
    def of(cls, error: GatewayError) -> Form:
        """Render an error with all of its headers."""
        body = error.body()
        lines = "".join([f"{name}: {value}\r\n" for name, value in error.headers])
        head = _HEAD % (STATUS_LINE[error.http_status], len(body), lines.encode("latin-1", "replace"))
        return cls(head, body)


OVERLOADED: dict[Reason, Form] = {
    reason: Form.of(Unavailable(message)) for reason, message in _MESSAGES.items()
}


def overloaded(reason: Reason, request_id: str, wait: float) -> TurnedAway:
    """Refuse for want of a place; `wait` in seconds."""
    form = OVERLOADED[reason]
    again = b"retry-after: %d\r\nretry-after-ms: %d\r\n" % (math.ceil(wait), math.ceil(wait * 1000))
    return TurnedAway(form.head, request_id, again, form.body)


class Forms:
    """Renders refusals, those of missing and wrong keys once, and another once while it is the same."""

    def __init__(self) -> None:
        self._known: dict[str, Form] = {}
        self._last: tuple[GatewayError | None, Form] = None, Form(b"", b"")

    def answer(self, error: GatewayError, request_id: str) -> TurnedAway:
        """Give the answer to an error."""
        # The few words with which keys are refused are the same for all.
        last, form = self._last
        if error is not last:
            form = self._known.get(error.message) or self._render(error)
        return TurnedAway(form.head, request_id, b"", form.body)

    def _render(self, error: GatewayError) -> Form:
        form = Form.of(error)
        if isinstance(error, Unauthorized):
            self._known[error.message] = form
        else:
            self._last = error, form
        return form


class FixedLines:
    """The header lines that all answers have. They change once a second, with the date."""

    def __init__(self) -> None:
        self._headers: RawHeaders = []
        self._lines = b""

    def of(self, headers: RawHeaders) -> bytes:
        """Render them. The list must be a new one when they change."""
        if headers is not self._headers:
            self._headers, self._lines = headers, b"".join([b"%b: %b\r\n" % field for field in headers])
        return self._lines
