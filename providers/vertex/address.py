"""Where a request to Vertex AI goes, and how it says who asks.

https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations and
https://cloud.google.com/vertex-ai/generative-ai/docs/start/express-mode/overview.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from providers.dialect import Option
from providers.gemini.address import segment
from providers.types import Secret, Target

OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "project": Option(env=("GOOGLE_CLOUD_PROJECT",)),
        "location": Option(default="global", env=("GOOGLE_CLOUD_LOCATION",)),
    }
)

_GLOBAL = "global"
_WIDE = frozenset({"us", "eu"})
"""Locations of several regions, with a form of address of their own."""
_API_KEYS = ("AIza", "AQ.")
"""How Google's API keys begin. Anything else is an access token (https://docs.cloud.google.com/docs/authentication/api-keys)."""


def host(options: Mapping[str, str]) -> Mapping[str, str]:
    """Give the `host` that a location is at."""
    location = options.get("location", _GLOBAL)
    if location == _GLOBAL:
        return {"host": "aiplatform.googleapis.com"}
    if location in _WIDE:
        return {"host": f"aiplatform.{location}.rep.googleapis.com"}
    return {"host": f"{location}-aiplatform.googleapis.com"}


def method_url(target: Target, publisher: str, method: str) -> str:
    """Give the address of a method of a publisher's model, such as `generateContent`."""
    place = (
        "" if _is_express(target) else "/projects/{project}/locations/{location}".format_map(target.options)
    )
    return f"{target.base_url}{place}/publishers/{publisher}/models/{segment(target.model)}:{method}"


def credentials(target: Target) -> Mapping[str, str]:
    """Give the header with the access token or the API key, if there is one."""
    return shown(target.credential) if target.credential else {}


def shown(credential: Secret) -> Mapping[str, str]:
    """Give the header with an access token or an API key."""
    if _is_key(credential):
        return {"x-goog-api-key": credential.reveal()}
    return {"authorization": f"Bearer {credential.reveal()}"}


def _is_express(target: Target) -> bool:
    """Whether it is asked with an API key, which says itself whose project it is."""
    return target.credential is not None and _is_key(target.credential)


def _is_key(credential: Secret) -> bool:
    return credential.reveal().startswith(_API_KEYS)
