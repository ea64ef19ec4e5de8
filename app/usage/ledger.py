"""The ledger's near end: a call is written down before a provider is asked, and settled before its client reads the end."""

from __future__ import annotations

from collections.abc import Callable

from app.telemetry.record import CallRecord, Intent
from app.usage.spool import Spool


class Ledger:
    """Takes the intent of each call before it goes out, and its record as it ends."""

    def __init__(self, spool: Spool, wake: Callable[[], None]) -> None:
        self._spool = spool
        self._wake = wake

    def begin(self, intent: Intent) -> None:
        """Put the intent on the spool, before a provider is asked. Of several the last one holds. Never raises."""
        # Nothing is woken: the record, or the next tick, takes it along.
        self._spool.append(intent)

    def settle(self, record: CallRecord) -> None:
        """Put the record on the spool. Call it before the answer's last bytes are sent. Never raises."""
        self._spool.append(record)
        self._wake()
