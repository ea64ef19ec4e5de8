"""Vertex's list of Google's models (https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/publishers.models/list).

Only this version lists them, outside of any project. It is a garden: of Claude and of most previews it says nothing, and
what has to be deployed first, or is asked in ways of its own, is left out here.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from providers.facts import NOTHING, ModelFacts
from providers.listing import Listing
from providers.types import Json, JsonObject, Target
from providers.vertex.address import shown

_SERVED = ("gemini-*", "imagen-*", "text-embedding-*", "text-multilingual-embedding-*", "veo-*")


def _url(target: Target) -> str:
    return f"{target.base_url.removesuffix('/v1')}/v1beta1/publishers/google/models?pageSize=300"


def _item(item: JsonObject) -> tuple[Json, ModelFacts]:
    name = str(item.get("name")).rpartition("/")[2]
    if not any(fnmatchcase(name, pattern) for pattern in _SERVED):
        return None, NOTHING
    return name, ModelFacts(outputs=frozenset({"embedding"}) if "-embedding-" in name else None)


MODELS = Listing(_url, _item, authorize=shown, complete=False)
