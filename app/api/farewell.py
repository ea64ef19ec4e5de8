"""That the server is leaving, as its connections see it."""

from __future__ import annotations

from app.api.front_door_limits import NEVER


class Farewell:
    """Whether answers say `connection: close`, and for how long a connection may then be silent."""

    __slots__ = ("begun", "silence")

    def __init__(self) -> None:
        self.begun = False
        self.silence = NEVER
        """Seconds that a client who was not told yet has to ask again."""

    def begin(self, silence: float) -> None:
        """Begin it. Seconds; 0 closes what is idle."""
        self.begun = True
        self.silence = silence
