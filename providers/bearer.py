"""The header of a bearer key."""

from __future__ import annotations

from collections.abc import Mapping

from providers.types import Target


def bearer(target: Target) -> Mapping[str, str]:
    """Give the header that shows the target's credential; nothing where it has none."""
    return {"authorization": f"Bearer {target.credential.reveal()}"} if target.credential else {}
