"""Requests: one that holds JSON, and one that holds nothing."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from providers.errors import RequestRejected
from providers.types import Content, HttpRequest, InBase64, JsonObject, Target

Body = bytes | tuple[bytes | Content | InBase64, ...]


def post(
    url: str, body: JsonObject, headers: Mapping[str, str], target: Target, *, stream: bool
) -> HttpRequest:
    """Give the request with these headers, and over them the target's own. Raises `RequestRejected`."""
    return send(url, written(body), headers, target, stream=stream)


def send(
    url: str, body: Body, headers: Mapping[str, str], target: Target, *, stream: bool = False
) -> HttpRequest:
    """Give the request for a body of JSON that is written."""
    accepted = "text/event-stream" if stream else "application/json"
    kind = {"content-type": "application/json", "accept": accepted}
    return HttpRequest("POST", url, _headers({**kind, **headers}, target), body)


def get(url: str, headers: Mapping[str, str], target: Target) -> HttpRequest:
    """Give the request for what is there already, of whatever kind."""
    return HttpRequest("GET", url, _headers({"accept": "*/*", **headers}, target))


def written(body: JsonObject) -> bytes:
    """Write a body. Raises `RequestRejected` for one that JSON cannot hold."""
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        raise RequestRejected(
            "The request holds half a surrogate pair, which is not valid Unicode."
        ) from None
    except RecursionError:
        raise RequestRejected("The request is nested too deeply.") from None


def _headers(given: Mapping[str, str], target: Target) -> tuple[tuple[str, str], ...]:
    # What is compressed cannot be passed on as it comes, and compressing stalls streams.
    own = {name.lower(): value for name, value in target.headers.items()}
    return tuple({"accept-encoding": "identity", **given, **own}.items())
