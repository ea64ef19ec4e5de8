"""The token endpoints as the description of the API has them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from app.api.endpoints import COHERES, JOB_PLACES, PLACES
from providers.types import Json, Operation

_FORMS = frozenset({Operation.IMAGE_EDIT, Operation.VIDEO, Operation.TRANSCRIPTION, Operation.TRANSLATION})
_ONLY_FORMS = frozenset({Operation.TRANSCRIPTION, Operation.TRANSLATION})
_SUMMARIES: Mapping[Operation, str] = MappingProxyType(
    {
        Operation.RERANK: "Rank documents by a query; Cohere's shape.",
        Operation.SPEECH: "OpenAI's speech endpoint; the sound comes while it is made.",
        Operation.VIDEO: "Submit a video; `id` of the answer is of use to the same caller alone.",
        Operation.VIDEO_STATUS: "How a video fares that was submitted here.",
        Operation.VIDEO_CONTENT: "The file of a video that is completed.",
        Operation.VIDEO_DELETE: "Delete a video.",
    }
)


def describe_calls() -> dict[str, dict[str, Json]]:
    """Give the descriptions by path and method."""
    paths: dict[str, dict[str, Json]] = {
        f"/v1{place.path}": {"post": _description(operation, _content(operation))}
        for operation, place in PLACES.items()
    }
    paths[COHERES] = paths[f"/v1{PLACES[Operation.RERANK].path}"]
    for (method, suffix), operation in JOB_PLACES.items():
        of_job = _description(operation, None) | {"parameters": [_ID]}
        paths.setdefault("/v1/videos/{id}" + suffix, {})[method.lower()] = of_job
    return paths


_ID: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_OBJECT: Json = {"schema": {"type": "object"}}


def _content(operation: Operation) -> Json:
    json = {} if operation in _ONLY_FORMS else {"application/json": _OBJECT}
    return json | ({"multipart/form-data": _OBJECT} if operation in _FORMS else {})


def _description(operation: Operation, content: Json) -> dict[str, Json]:
    usual = f"OpenAI's {operation} endpoint; fields travel to the provider as they are."
    body = {} if content is None else {"requestBody": {"required": True, "content": content}}
    return {
        "tags": ["calls"],
        "summary": _SUMMARIES.get(operation, usual),
        **body,
        "responses": {
            "200": {"description": "OpenAI's response, or its server-sent events when `stream` is true."}
        },
    }
