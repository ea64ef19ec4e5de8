"""One real call, as small as one can be, to see whether a provider does what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from app.config.activation import ActiveProvider, ProviderCredential
from app.gateway.model_asking import bare_target
from app.gateway.upstream import Upstream
from providers.errors import UnsupportedParameter
from providers.facts import ModelFacts
from providers.registry import adapter_for
from providers.types import Call, JsonObject, Operation

WITHIN = 60.0
"""Seconds. A local model may have to be loaded first."""
MOST_TOKENS = 16
"""The least that every vendor takes as a cap."""

_BODIES: Mapping[Operation, JsonObject] = {
    Operation.CHAT: {
        "messages": [{"role": "user", "content": "Say OK."}],
        "max_completion_tokens": MOST_TOKENS,
    },
    Operation.EMBEDDINGS: {"input": ["OK"]},
}
_NO_WORDS = frozenset({"embedding", "ranking", "image"})


def example_of(provider: ActiveProvider, models: Mapping[str, ModelFacts]) -> str | None:
    """Give a model to call: the usual example where the provider lists it, or lists none, else one that it lists."""
    usual = provider.example.removeprefix(f"{provider.name}/")
    if usual and (usual in models or not models):
        return usual
    speaking = (name for name, facts in models.items() if not (facts.outputs or frozenset()) & _NO_WORDS)
    return next(speaking, None)


async def call(
    provider: ActiveProvider,
    credential: ProviderCredential | None,
    upstream: Upstream,
    model: str,
    now: float,
) -> str:
    """Call a model, and say what came of it; `now` in Unix seconds. Raises `UpstreamError`, `TimeoutError`."""
    served = [each for each in _BODIES if provider.serves(each, model)]
    if not served:
        raise UnsupportedParameter("It serves nothing that a small call could show.")
    operation = served[0]
    adapter = adapter_for(provider.dialect_of(model), operation)
    assert adapter is not None
    asked = Call(operation, model, {"model": model, **_BODIES[operation]}, id="test", created=int(now))
    target = bare_target(provider, credential, model)
    request = adapter.build_request(asked, target)
    async with asyncio.timeout(WITHIN), await upstream.send(request) as answer:
        body = await answer.read()
    if not 200 <= answer.head.status < 300:
        raise adapter.parse_error(answer.head, body, now)
    usage = adapter.parse_response(asked, target, answer.head, body).usage
    tokens = f" with {usage.input_tokens + usage.output_tokens} tokens" if usage else ""
    return f"`{model}` answered{tokens}"
