"""What several workers see of a provider, shown as one."""

from __future__ import annotations

from typing import Any

from app.api.provider_states import ProviderStates, combined


def seen(
    state: str, openings: int, credential: str, in_flight: int, model: str | None = None
) -> ProviderStates:
    breaker: dict[str, Any] = {
        "provider": "up",
        "model": model,
        "state": state,
        "consecutive_failures": openings,
        "failure_ratio": None,
        "probe_in": None,
        "openings": openings,
        "workers": {state: 1},
    }
    pooled: dict[str, Any] = {
        "provider": "up",
        "credential": 0,
        "id": None,
        "state": credential,
        "reason": None,
        "usable_in": 0.0,
        "in_flight": in_flight,
        "models": [],
        "workers": {credential: 1},
    }
    return ProviderStates.model_validate({"data": [breaker], "credentials": [pooled], "lists": []})


def test_the_worst_is_shown_and_all_are_counted() -> None:
    whole = combined(
        [
            seen("closed", 0, "ready", 2),
            seen("open", 3, "parked", 1),
            seen("half_open", 1, "quarantined", 0),
            seen("closed", 0, "ready", 4),
        ]
    )
    (breaker,), (credential,) = whole.data, whole.credentials
    assert (breaker.state, breaker.consecutive_failures, breaker.openings) == ("open", 3, 4)
    assert breaker.workers == {"closed": 2, "open": 1, "half_open": 1}
    assert (credential.state, credential.in_flight) == ("quarantined", 7)
    assert credential.workers == {"ready": 2, "parked": 1, "quarantined": 1}


def test_what_one_alone_has_seen_is_shown_after_the_providers() -> None:
    whole = combined([seen("open", 1, "ready", 0, model="m"), seen("closed", 0, "ready", 0)])
    assert [each.model for each in whole.data] == [None, "m"]
