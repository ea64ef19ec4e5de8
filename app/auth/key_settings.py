"""What a key carries, as the database keeps it and as the configuration's types have it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from app.config.identities import KeySettings
from app.store.keys import NewKey
from providers.types import Json


def settings_of(key: NewKey) -> KeySettings:
    """Read what a stored key carries. Raises `ValueError` where its row was damaged."""
    return KeySettings.model_validate(
        {
            "models": key.models,
            "regions": key.regions,
            "user": key.user,
            "team": key.team,
            "plan": key.plan,
            "priority": key.priority,
            "limits": key.limits,
            "budget": key.budget,
            "roles": key.roles,
            "metadata": key.metadata,
            "expires": None if key.expires is None else datetime.fromtimestamp(key.expires, UTC),
        }
    )


def stored_form(settings: KeySettings) -> Mapping[str, Json]:
    """Give what a stored key carries, by the names of its fields."""
    return {
        "models": list(settings.models) or None,
        "regions": list(settings.regions),
        "user": settings.user,
        "team": settings.team,
        "plan": settings.plan,
        "priority": settings.priority,
        "limits": dict(settings.limits.stated),
        "budget": [budget.model_dump(mode="json") for budget in settings.budget],
        "roles": list(settings.roles),
        "metadata": dict(settings.metadata),
        "expires": settings.expires.timestamp() if settings.expires else None,
    }
