"""Microsoft Entra: access tokens of an application or a managed identity, from wherever azure-identity finds one.

https://learn.microsoft.com/azure/ai-foundry/openai/how-to/managed-identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from app.auth.upstream.made import Made, Maker, bearer
from app.config.activation import ActiveProvider

_SCOPES: Mapping[str, str] = {
    # The end of a host → what a token for it is for. AZURE_AUTHORITY_HOST says who gives it.
    ".azure.us": "https://cognitiveservices.azure.us/.default",
    ".azure.cn": "https://cognitiveservices.azure.cn/.default",
}
_USUAL = "https://cognitiveservices.azure.com/.default"


def maker(provider: ActiveProvider, wall: Callable[[], float]) -> Maker:
    """Give what gets tokens; `identity` is the client ID of a managed identity. Raises what azure-identity does."""
    scope = scope_for(provider.base_url)

    def make() -> Made:
        from azure.identity import DefaultAzureCredential

        # A new one each time: it would remember a token that was refused.
        with DefaultAzureCredential(managed_identity_client_id=provider.identity) as credential:
            token = credential.get_token(scope)
        return bearer(token.token, wall(), float(token.expires_on))

    return make


def scope_for(base_url: str) -> str:
    """Give what a token for this address is for."""
    host = urlsplit(base_url).hostname or ""
    return next((scope for end, scope in _SCOPES.items() if host.endswith(end)), _USUAL)
