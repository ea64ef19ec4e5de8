"""The token endpoints: which operation is where, and how its requests are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from app.api.asgi import Endpoint, Receive, Scope
from app.api.asked import Asked, Reader, read_json
from app.api.body import read_body
from app.api.calls import CallEndpoint, CallRooms
from app.api.forms import read_form, read_form_or_json
from app.config.models import Server
from providers.types import JsonObject, Operation

JOB = re.compile(r"(?:/v1)?/videos/([^/]+)(/content)?")
LONGEST_QUERY = 512


class Place(NamedTuple):
    """Where an operation is, below `/v1` or without it."""

    path: str
    read: Reader = read_json


PLACES: Mapping[Operation, Place] = {
    Operation.CHAT: Place("/chat/completions"),
    Operation.COMPLETIONS: Place("/completions"),
    Operation.EMBEDDINGS: Place("/embeddings"),
    Operation.RERANK: Place("/rerank"),
    Operation.IMAGE_GENERATION: Place("/images/generations"),
    Operation.IMAGE_EDIT: Place("/images/edits", read_form_or_json),
    Operation.VIDEO: Place("/videos", read_form_or_json),
    Operation.SPEECH: Place("/audio/speech"),
    Operation.TRANSCRIPTION: Place("/audio/transcriptions", read_form),
    Operation.TRANSLATION: Place("/audio/translations", read_form),
    Operation.MODERATION: Place("/moderations"),
}
JOB_PLACES: Mapping[tuple[str, str], Operation] = {
    ("GET", ""): Operation.VIDEO_STATUS,
    ("GET", "/content"): Operation.VIDEO_CONTENT,
    ("DELETE", ""): Operation.VIDEO_DELETE,
}
"""By method, and by what stands behind `/videos/ID`."""
COHERES = "/v2/rerank"
"""Where Cohere's own clients ask."""


class CallEndpoints:
    """Finds the endpoint of a request. Implements `app.api.asgi.Endpoints`."""

    def __init__(self, rooms: CallRooms) -> None:
        self._fixed: dict[str, dict[str, Endpoint]] = {}
        for operation, place in PLACES.items():
            endpoint = CallEndpoint(operation, rooms, place.read)
            for prefix in ("/v1", ""):
                self._fixed[prefix + place.path] = {"POST": endpoint}
        self._fixed[COHERES] = self._fixed[PLACES[Operation.RERANK].path]
        self.usual: Mapping[tuple[bytes, bytes], Endpoint] = {
            (method.encode(), path.encode()): endpoint
            for path, endpoints in self._fixed.items()
            for method, endpoint in endpoints.items()
        }
        """Those that stand at one place, by method and target."""
        self._jobs: dict[str, dict[str, Endpoint]] = {}
        for (method, suffix), operation in JOB_PLACES.items():
            self._jobs.setdefault(suffix, {})[method] = CallEndpoint(operation, rooms, _read_job)

    def at(self, path: str) -> Mapping[str, Endpoint] | None:
        """Give the endpoints of a path by method; None where there is none."""
        found = self._fixed.get(path)
        if found is None and (job := JOB.fullmatch(path)):
            return self._jobs[job[2] or ""]
        return found


async def _read_job(scope: Scope, receive: Receive, server: Server, received: Callable[[], None]) -> Asked:
    """Read which job is asked about; its query goes to the provider."""
    found = JOB.fullmatch(scope["path"])
    assert found is not None, "the path was found by it"
    await read_body(receive, server.max_body)
    received()
    return Asked(_query(scope["query_string"]), job=found[1])


def _query(raw: bytes) -> JsonObject:
    pairs = parse_qsl(raw[:LONGEST_QUERY].decode("latin-1"))
    return {name: value for name, value in pairs if name == "variant"}
