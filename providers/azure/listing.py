"""The list of models of an Azure resource (https://learn.microsoft.com/rest/api/azureopenai/models/list).

It names what could be deployed; calls name deployments, of which it knows nothing.
"""

from __future__ import annotations

from providers.azure import address
from providers.listing import Listing
from providers.openai.listing import MODELS as OPENAI_MODELS

MODELS = Listing(
    address.of_models, OPENAI_MODELS.item, authorize=lambda key: {"api-key": key.reveal()}, names=False
)
