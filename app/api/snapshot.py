"""What one configuration makes of the gateway, and the one that new calls take.

A call keeps the snapshot that it took at its admission, whatever is configured meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from app.api.callers import Callers
from app.api.departure import Policy
from app.config.models import Config
from app.gateway.catalogue import Catalogue
from app.gateway.gateway import Gateway
from app.gateway.router import Router


class Snapshot:
    """A configuration at work. Each call holds it as a context."""

    __slots__ = (
        "_calls",
        "_retired",
        "_unused",
        "callers",
        "catalogue",
        "config",
        "gateway",
        "on_departure",
    )

    def __init__(
        self,
        config: Config,
        gateway: Gateway,
        catalogue: Catalogue,
        callers: Callers,
        on_departure: Policy,
        unused: Callable[[], None] = lambda: None,
    ) -> None:
        """`unused` is called once: when it is retired and the last call that holds it has ended."""
        self.config = config
        self.gateway = gateway
        self.catalogue = catalogue
        self.callers = callers
        self.on_departure = on_departure
        self._unused = unused
        self._calls = 0
        self._retired = False

    @property
    def router(self) -> Router:
        """What finds the targets of a model."""
        return self.catalogue.router

    def __enter__(self) -> Self:
        self._calls += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls -= 1
        if self._retired and not self._calls:
            self._unused()

    def retire(self) -> None:
        """Take no more calls. Another snapshot has its place."""
        self._retired = True
        if not self._calls:
            self._unused()


class Current:
    """The snapshot that new calls take: one reference, so that no call sees half of a change."""

    __slots__ = ("snapshot",)

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def swap(self, snapshot: Snapshot) -> None:
        """Give new calls another snapshot; those under way end with theirs."""
        replaced, self.snapshot = self.snapshot, snapshot
        replaced.retire()
