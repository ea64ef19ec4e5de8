"""Telling people what they asked to be told: in the log, in the metrics, and by a webhook."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
from structlog.typing import FilteringBoundLogger

from app.gateway.parking import Parked, Reason
from app.gateway.upstream import Upstream
from app.store.money import dollars
from app.telemetry.callers import without_user
from app.telemetry.metrics import Metrics
from app.usage.budgets import Crossing
from providers.errors import Redirected, UpstreamError
from providers.types import HttpRequest, JsonObject, Secret

WAITING = 1000
"""Notices that wait for the webhook. Beyond it they are only in the log and the metrics."""
TRIES = 5
FIRST_PAUSE = 1.0
"""Seconds before the second try; each next pause is twice as long."""
WITHIN = 10.0


class Sender(Protocol):
    """Takes notices away."""

    def put(self, notice: JsonObject) -> None:
        """Take one. Never waits, never raises."""
        ...


class Webhook:
    """Posts notices as JSON, one after the other, beside everything else. Without an address it lets them go."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._url: Secret | None = None
        self._upstream: Upstream | None = None
        self._waiting: asyncio.Queue[JsonObject] = asyncio.Queue(WAITING)

    async def direct(self, url: Secret, upstream: Upstream) -> None:
        """Post to this address from now on, what waits too."""
        await self.close()
        self._url, self._upstream = url, upstream

    async def close(self) -> None:
        """Have no address any more."""
        upstream, self._url, self._upstream = self._upstream, None, None
        if upstream is not None:
            await upstream.close()

    def put(self, notice: JsonObject) -> None:
        """Queue one notice; a full queue drops it, and the log has it anyway."""
        if self._url is not None and not self._waiting.full():
            self._waiting.put_nowait(notice)

    async def post_always(self) -> None:
        """Post what comes, until cancelled."""
        while True:
            await self._post(await self._waiting.get())

    async def _post(self, notice: JsonObject) -> None:
        pause = FIRST_PAUSE
        for last in [*[False] * (TRIES - 1), True]:
            problem = await self._try(notice)
            if problem is None:
                return
            if last:
                self._log.error("webhook_failed", notice=notice.get("event"), reason=problem)
                return
            await asyncio.sleep(pause)
            pause *= 2

    async def _try(self, notice: JsonObject) -> str | None:
        """Post once. Gives what went wrong, without the address: it may hold a secret."""
        url, upstream = self._url, self._upstream
        if url is None or upstream is None:
            return None
        headers = (("content-type", "application/json"),)
        request = HttpRequest("POST", url.reveal(), headers, msgspec.json.encode(notice))
        try:
            async with asyncio.timeout(WITHIN), await upstream.send(request) as answer:
                status = answer.head.status
        except Redirected as error:
            status = error.status or 300
        except (UpstreamError, TimeoutError) as error:
            return type(error).__name__
        return None if status < 300 else f"HTTP {status}"


class Notices:
    """What there is to tell."""

    def __init__(
        self, log: FilteringBoundLogger, metrics: Metrics, sender: Sender, now: Callable[[], float]
    ) -> None:
        self._log = log
        self._metrics = metrics
        self._sender = sender
        self._now = now

    def budget_crossed(self, crossing: Crossing) -> None:
        """Tell that a share of a budget is spent."""
        budget = crossing.budget
        told: JsonObject = {
            "subject": budget.subject,
            "share": str(crossing.share),
            "spent": dollars(crossing.standing.spent),
            "amount": dollars(budget.amount),
            "per": budget.period.kind.value,
        }
        self._metrics.count_crossing(without_user(budget.subject), str(crossing.share))
        self._warn("budget_crossed", told)

    def credential_parked(self, provider: str, position: int, parked: Parked) -> None:
        """Tell that a credential is out of use. A rate limit is counted alone: it is over soon, and by itself."""
        self._metrics.count_parking(provider, parked.reason)
        event = _ALERTS.get(parked.reason)
        if event is not None and not parked.again:
            self._warn(
                event, {"provider": provider, "credential": position, "seconds": round(parked.seconds, 3)}
            )

    def credential_freed(self, provider: str, position: int) -> None:
        """Tell that a credential is back in use."""
        with contextlib.suppress(OSError, ValueError):
            self._log.info("credential_freed", provider=provider, credential=position)

    def _warn(self, event: str, told: JsonObject) -> None:
        with contextlib.suppress(OSError, ValueError):
            # It is told while a call is under way, which a log that cannot be written must not end.
            self._log.warning(event, **told)
        self._sender.put({"event": event, "at": self._now(), **told})


_ALERTS: Mapping[Reason, str] = {
    "quota_exhausted": "credential_exhausted",
    "rejected": "credential_quarantined",
}
"""What is told of reasons that do not end by themselves."""
