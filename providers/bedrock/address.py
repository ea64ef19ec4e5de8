"""Requests to a model at Bedrock: its address and headers, whatever is asked of it."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from providers.errors import RequestRejected
from providers.types import HttpRequest, JsonObject, Target

EVENT_STREAM = "application/vnd.amazon.eventstream"


def request(
    target: Target, action: str, body: JsonObject, *, accept: str = "application/json"
) -> HttpRequest:
    """Render a request. Raises `RequestRejected` for a body that JSON cannot hold.

    The model's ID, or its ARN, is one segment of the path, with `:` and `/` escaped.
    """
    headers = {"content-type": "application/json", "accept": accept, "accept-encoding": "identity"}
    if target.credential:
        # An API key (https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html).
        headers["authorization"] = f"Bearer {target.credential.reveal()}"
    headers |= {name.lower(): value for name, value in target.headers.items()}
    url = f"{target.base_url}/model/{quote(target.model, safe='')}/{action}"
    return HttpRequest("POST", url, tuple(headers.items()), _encoded(body))


def _encoded(body: JsonObject) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        raise RequestRejected(
            "The request holds half a surrogate pair, which is not valid Unicode."
        ) from None
    except RecursionError:
        raise RequestRejected("The request is nested too deeply.") from None
