"""What a dialect consists of: its adapters, and what the gateway must know to use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from providers.adapter import Adapter
from providers.listing import Listing
from providers.types import Operation


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a dialect's own, such as the version of an API. It fills `{name}` in a base URL."""

    default: str | None = None
    """None: it has to be given."""
    env: tuple[str, ...] = ()
    """The vendor's own variables for it; the first that is set counts."""
    in_url_only: bool = False
    """Nothing but a base URL with `{name}` in it needs it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One row of the registry."""

    adapters: Mapping[Operation, Adapter]
    options: Mapping[str, Option] = field(default_factory=dict)
    stream_type: str = "text/event-stream"
    """The media type of its streams."""
    derived: Callable[[Mapping[str, str]], Mapping[str, str]] = lambda _: {}
    """What else fills `{name}` in a base URL, worked out from the options."""
    listing: Listing | None = None
    """How it lists models; None: it cannot."""
