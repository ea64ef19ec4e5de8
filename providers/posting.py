"""A request that holds JSON."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from providers.errors import RequestRejected
from providers.types import HttpRequest, JsonObject, Target


def post(
    url: str, body: JsonObject, headers: Mapping[str, str], target: Target, *, stream: bool
) -> HttpRequest:
    """Give the request with these headers, and over them the target's own. Raises `RequestRejected`."""
    sent = {
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
        # What is compressed cannot be passed on as it comes, and compressing stalls streams.
        "accept-encoding": "identity",
        **headers,
        **{name.lower(): value for name, value in target.headers.items()},
    }
    return HttpRequest("POST", url, tuple(sent.items()), _encoded(body))


def _encoded(body: JsonObject) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        raise RequestRejected(
            "The request holds half a surrogate pair, which is not valid Unicode."
        ) from None
    except RecursionError:
        raise RequestRejected("The request is nested too deeply.") from None
