"""Requests to a model at Bedrock: its address and headers, whatever is asked of it."""

from __future__ import annotations

from urllib.parse import quote

from providers.posting import post
from providers.types import HttpRequest, JsonObject, Target

EVENT_STREAM = "application/vnd.amazon.eventstream"


def request(
    target: Target, action: str, body: JsonObject, *, accept: str = "application/json"
) -> HttpRequest:
    """Render a request. Raises `RequestRejected` for a body that JSON cannot hold.

    The model's ID, or its ARN, is one segment of the path, with `:` and `/` escaped.
    """
    headers = {"accept": accept}
    if target.credential:
        # An API key (https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html).
        headers["authorization"] = f"Bearer {target.credential.reveal()}"
    url = f"{target.base_url}/model/{quote(target.model, safe='')}/{action}"
    return post(url, body, headers, target, stream=False)
