"""The beginning and the one end of a call's account."""

from __future__ import annotations

from collections.abc import Sequence

from app.gateway.client import Client
from app.gateway.guard import Admissions, Chooser, Gate, Guard, Passages, Ticket
from app.gateway.record import CallLog, moment
from app.gateway.trial import Trial
from app.telemetry.record import CallRecord, Charge, Intent, Outcome
from app.usage.ledger import Ledger
from app.usage.rates import Rates
from providers.types import Target


class Settlement:
    """Admits a call, writes its intent, and closes its account exactly once."""

    def __init__(self, guards: Sequence[Guard], ledger: Ledger, log: CallLog, client: Client) -> None:
        self.log = log
        self._client = client
        self._admissions = Admissions(guards)
        self._ledger = ledger
        self._intended = False

    async def admit(self, ticket: Ticket) -> None:
        """Pass the guards, then note the call where a crash does not reach. Raises the refusing guard's error."""
        await self._admissions.take(ticket)
        # Guards may have changed it.
        self.log.call = ticket.call
        self._ledger.begin(_intent(ticket, self.log, []))
        self._intended = True

    async def begin_attempt(
        self, ticket: Ticket, target: Target, rates: Rates | None, gates: Sequence[Gate], chooser: Chooser
    ) -> Trial:
        """Pass the gates of a target, and note what they hold. Raises the closed gate's error."""
        passages = Passages()
        await passages.take(gates, ticket, target)
        use = await passages.choose(chooser, ticket, target)
        trial = self.log.begin_attempt(use, rates, passages)
        if passages.charges():
            self._ledger.begin(_intent(ticket, self.log, [*self.log.charges, *self.log.held()]))
        return trial

    def succeed(self) -> None:
        """Close the account of an answer that came to its end, whether or not its client waited for it."""
        self.log.release()
        client = self._client
        status = 499 if client.left and not client.committed else 200
        self.close("client_cancelled" if client.left else "success", status, None)

    def close(self, outcome: Outcome, status: int, error_type: str | None) -> None:
        """Settle with every guard, then with the ledger. A second call does nothing."""
        self.log.finish(outcome, status, error_type, self._settle)

    def _settle(self, record: CallRecord) -> CallRecord:
        record = self._admissions.settle(record)
        if self._intended:
            # A call that was refused before it was admitted has used nothing and has no row.
            self._ledger.settle(record)
        return record


def _intent(ticket: Ticket, log: CallLog, at_providers: Sequence[Charge]) -> Intent:
    return Intent(
        id=log.id,
        timestamp=moment(log.clock.wall()),
        request_id=log.request_id,
        key=log.key,
        user=log.user,
        team=log.team,
        organisation=log.organisation,
        plan=log.plan,
        method=log.method,
        path=log.path,
        operation=log.operation,
        model=ticket.call.model,
        stream=ticket.call.stream,
        input_tokens=ticket.forecast.input_tokens,
        price_version=log.price_version,
        charges=[*ticket.charges, *at_providers],
        tags=dict(log.tags),
    )
