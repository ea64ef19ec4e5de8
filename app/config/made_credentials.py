"""What `auth` and the settings beside it say of each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.models import ProviderSettings
from app.config.problems import Problem
from app.config.tree import Node, place


def idle_settings(provider: str, auth: str, settings: ProviderSettings, tree: Node) -> Iterator[Problem]:
    """Find what would have no effect, and so is not what was meant."""
    path = ("providers", provider)
    if auth != "key" and settings.keys:
        hint = "remove them, or set `auth: key`"
        yield Problem(place(tree, (*path, "keys")), (*path, "keys"), f"`auth: {auth}` takes no keys", hint)
    if auth == "key" and settings.identity:
        message = "`identity` is for credentials that are made, and this provider has keys"
        hint = "remove it, or set `auth` to aws, google or entra"
        yield Problem(place(tree, (*path, "identity")), (*path, "identity"), message, hint)
