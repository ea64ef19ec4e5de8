"""The ledger's near end: a call is settled before its client has read the last byte."""

from __future__ import annotations

from collections.abc import Callable

from app.telemetry.record import CallRecord
from app.usage.spool import Spool


class Ledger:
    """Takes the record of each call as it ends."""

    def __init__(self, spool: Spool, wake: Callable[[], None]) -> None:
        self._spool = spool
        self._wake = wake

    async def admit(self, _ticket: object) -> Ledger:
        """Let every call in: a full or broken disk refuses none."""
        return self

    def settle(self, record: CallRecord) -> None:
        """Put the record on the spool. Call it before the answer's last bytes are sent. Never raises."""
        self._spool.append(record)
        self._wake()
