"""`switchgear models`: the models that can be named without guessing."""

from __future__ import annotations

from app.auth.principal import Principal
from app.cli.output import print_json, print_table
from app.config.loader import Loaded
from app.gateway.router import Router


def models(loaded: Loaded, *, as_json: bool) -> None:
    """List public models, then those that the configuration names of each provider."""
    listed = Router(loaded.providers, loaded.config.chains).names(Principal("everyone"))
    if as_json:
        print_json([{"id": name, "owned_by": owner} for name, owner in listed])
    else:
        print_table(("model", "owned by"), listed)
