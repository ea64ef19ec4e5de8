"""The smallest question that shows whether a provider answers and takes its credential: its list of models.

Wire formats: https://platform.openai.com/docs/api-reference/models/list (Azure's too),
https://docs.anthropic.com/en/api/models-list, https://ai.google.dev/api/models#method:-models.list and
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from providers.anthropic.chat import VERSION
from providers.azure import address
from providers.types import HttpRequest, Secret, Target

Headers = Mapping[str, str]


class _Probe(NamedTuple):
    url: Callable[[Target], str]
    headers: Headers
    authorize: Callable[[Secret], Headers]


_OPENAI = _Probe(
    lambda target: f"{target.base_url}/models", {}, lambda key: {"authorization": f"Bearer {key.reveal()}"}
)
_PROBES: Mapping[str, _Probe] = MappingProxyType(
    {
        "openai": _OPENAI,
        "blackbox": _OPENAI,
        "responses": _OPENAI,
        "perplexity": _OPENAI,
        "anthropic": _Probe(
            lambda target: f"{target.base_url}/v1/models",
            {"anthropic-version": VERSION},
            lambda key: {"x-api-key": key.reveal()},
        ),
        "bedrock": _Probe(
            # Another host has it (API_ListFoundationModels).
            lambda target: f"{target.base_url.replace('bedrock-runtime', 'bedrock', 1)}/foundation-models",
            {},
            lambda key: {"authorization": f"Bearer {key.reveal()}"},
        ),
        "azure": _Probe(address.of_models, {}, lambda key: {"api-key": key.reveal()}),
        "gemini": _Probe(
            lambda target: f"{target.base_url}/models", {}, lambda key: {"x-goog-api-key": key.reveal()}
        ),
    }
)


def probe_request(target: Target) -> HttpRequest | None:
    """Ask for the list of models; the target's `model` has no part in it. None where the dialect has no such list."""
    probe = _PROBES.get(target.dialect)
    if probe is None:
        return None
    headers = {"accept": "application/json", "accept-encoding": "identity", **probe.headers}
    if target.credential:
        headers |= probe.authorize(target.credential)
    headers |= {name.lower(): value for name, value in target.headers.items()}
    return HttpRequest("GET", probe.url(target), tuple(headers.items()))
