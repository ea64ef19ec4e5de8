"""Names of tools: Cohere takes letters, digits and `_`, and no digit first; OpenAI takes `-` too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from providers.types import Json

_TAKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OTHER = re.compile(r"[^A-Za-z0-9_]")


def theirs(name: str) -> str:
    """Give the name if Cohere takes it, else always the same other one for it."""
    if _TAKEN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"_{_OTHER.sub('_', name)}_{digest}"


def ours(body: Mapping[str, Json]) -> Mapping[str, str]:
    """Give Cohere's name → the client's, for the tools of a request whose names had to change. Total."""
    tools = body.get("tools")
    found = {}
    for tool in tools if isinstance(tools, list) else ():
        function = tool.get("function") if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if isinstance(name, str) and theirs(name) != name:
            found[theirs(name)] = name
    return found
