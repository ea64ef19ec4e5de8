"""Whether the gateway can serve. Neither the database nor a provider has a say: one outage would stop all instances."""

from __future__ import annotations


class Readiness:
    """Ready from the start until it is told to stop."""

    def __init__(self) -> None:
        self._stopping = False

    def stop(self) -> None:
        """Say that the gateway is about to stop, so that nobody sends it more."""
        self._stopping = True

    def is_ready(self) -> bool:
        """Whether new calls are welcome."""
        return not self._stopping
