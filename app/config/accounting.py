"""What becomes of the calls that were made, and who is told of what they cost."""

from __future__ import annotations

from typing import Literal

from app.config.scalars import Count, Flag, Maybe, SecretText, Text, Wait
from app.config.section import Section


class Ledger(Section):
    """How calls are accounted."""

    disconnect: Literal["cancel", "drain"] = "cancel"
    """When a client leaves: `cancel` ends the call at the provider, `drain` reads on so that its usage is known."""
    drain_for: Wait = 30.0
    """How long a call is drained at most."""
    max_drains: Count = 100
    """Calls that may be drained at once; more are cancelled."""
    spool: Maybe[Text] = None
    """Folder for calls on their way into the database, on a disk that stays. Default: `spool` beside the SQLite file, else `data/spool`."""
    retention: Maybe[Wait] = None
    """How long calls are kept, such as `90d`. Nothing: for ever."""
    unknown_price: Literal["refuse", "allow"] = "refuse"
    """What becomes of a call under a budget whose price is not known: refused, or allowed and not counted."""


class Notifications(Section):
    """Who is told when a share of a budget is spent."""

    webhook: SecretText | None = None
    """URL that gets a POST: https://, or http:// on this machine. It is kept secret."""
    allow_private: Flag = False
    """Whether the address may be a private one, and one with http://."""
