"""AWS: requests signed by Signature Version 4, with credentials from wherever botocore finds some.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from app.auth.upstream.made import Made, Maker, with_headers
from app.config.activation import ActiveProvider
from providers.errors import RequestRejected
from providers.types import Head, HttpRequest

FRESH = 240.0
"""Seconds. Instances and containers are given credentials that hold for another five minutes at least."""
VALID = 900.0
"""Seconds for which they are used where none can be had. What has ended by then AWS refuses, and we ask again."""

_SERVICES: Mapping[str, str] = {
    # The first label of a host that begins so → the service's name in signatures.
    "bedrock-mantle": "bedrock-mantle",
    "aws-external-anthropic": "aws-external-anthropic",
}
_USUAL = "bedrock"
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_SIGNED = ("content-type",)
"""Besides the host and Amazon's own. The less is signed, the less can be changed on the way."""
_ENDED = ("ExpiredToken", "UnrecognizedClient", "InvalidSignature", "InvalidClientTokenId")


def maker(provider: ActiveProvider, wall: Callable[[], float]) -> Maker:
    """Give what finds credentials; `identity` is a profile of AWS's files. Raises what botocore does."""
    labels = (urlsplit(provider.base_url).hostname or "").split(".")
    service = _SERVICES.get(labels[0], _USUAL)
    stated = provider.options.get("region") or next(
        (each for each in labels if _REGION.fullmatch(each)), None
    )

    def make() -> Made:
        from botocore.session import Session

        session = Session(profile=provider.identity)
        region = stated or session.get_config_variable("region")
        if not region:
            raise ValueError("no region: give options.region, or set AWS_REGION")
        found = session.get_credentials()
        if found is None:
            raise ValueError("no AWS credentials in the environment, in AWS's files or from the instance")
        keys, now = found.get_frozen_credentials(), wall()
        return Made(
            signing(keys, service, region),
            fresh_until=now + FRESH,
            valid_until=now + VALID,
            is_refused=_is_refused,
            secrets=(keys.token,) if keys.token else (),
        )

    return make


def signing(credentials: Any, service: str, region: str) -> Callable[[HttpRequest], HttpRequest]:
    """Give what signs requests with credentials of botocore's. Raises `RequestRejected` for one with files."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    signer = SigV4Auth(credentials, service, region)

    def sign(request: HttpRequest) -> HttpRequest:
        if not isinstance(request.body, bytes):
            raise RequestRejected("A request with files cannot be signed for AWS.")
        signed = {name: value for name, value in request.headers if name in _SIGNED}
        made = AWSRequest(request.method, request.url, headers=signed, data=request.body)
        signer.add_auth(made)
        return with_headers(request, tuple((name.lower(), value) for name, value in made.headers.items()))

    return sign


def _is_refused(head: Head) -> bool:
    return head.status == 403 and head.headers.get("x-amzn-errortype", "").startswith(_ENDED)
