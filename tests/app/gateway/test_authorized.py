"""Calls whose credential is made: signed, renewed once, and never the client's or the provider's fault."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from app.auth.upstream.keeper import Keeper
from app.auth.upstream.made import Made, bearer
from app.config.activation import ActiveProvider
from app.config.loader import load
from app.errors import GatewayError
from app.gateway.answering import Line
from app.gateway.authorized import AuthorizedUpstream, authorized
from app.gateway.through_httpx import HttpxCarrier
from app.gateway.upstream import Upstream
from providers.errors import CredentialRejected
from providers.types import HttpRequest
from tests.app.gateway.building import (
    NOON,
    House,
    Wire,
    build,
    chat,
    chat_answer,
    config_yaml,
    provider_yaml,
    whole,
)


@dataclass
class Mint:
    """Makes tokens of an hour, or fails."""

    made: int = 0
    fault: Exception | None = None
    reasons: list[str] = field(default_factory=list)

    def make(self) -> Made:
        self.made += 1
        if self.fault:
            raise self.fault
        return bearer(f"token-{self.made}", NOON, NOON + 3600)


def house_with(folder: Path, mint: Mint, models: str = "m: [up/m]") -> House:
    """Give a gateway whose provider `up` takes tokens of the mint, and `other` its own key."""
    house = build(folder, config_yaml(providers=provider_yaml("up") + provider_yaml("other"), models=models))
    keeper = Keeper(mint.make, lambda: house.time[0], mint.reasons.append)
    line = house.gateway.lines["up"]
    lines = {
        **house.gateway.lines,
        "up": Line(AuthorizedUpstream(line.upstream, keeper), line.timeouts, line.patience),
    }
    house.gateway = replace(house.gateway, lines=lines)
    return house


def states(house: House) -> list[str]:
    return [each.state for each in house.credentials.standings(house.time[1]) if each.provider == "up"]


async def test_calls_carry_what_was_made(tmp_path: Path) -> None:
    mint = Mint()
    house = house_with(tmp_path, mint)
    for _ in range(3):
        await house.serve(chat())
    assert house.wire.keys == ["token-1"] * 3
    assert mint.made == 1


async def test_what_has_ended_is_made_anew_and_the_call_sent_once_more(tmp_path: Path) -> None:
    mint = Mint()
    house = house_with(tmp_path, mint)
    await house.serve(chat())
    house.time[0] += 100
    answers = iter([whole({"error": {"message": "expired"}}, 401)])
    house.wire.answer = lambda _: next(answers, None) or whole(chat_answer(5))
    await house.serve(chat())
    assert house.wire.keys == ["token-1", "token-1", "token-2"]
    assert [record.attempts for record in house.told] == [1, 1]
    assert states(house) == ["ready"]


async def test_a_token_that_is_refused_at_once_is_the_credentials_fault(tmp_path: Path) -> None:
    house = house_with(tmp_path, Mint())
    house.wire.answer = lambda _: whole({"error": {"message": "token-1 is bad"}}, 401)
    assert await house.outcome(chat()) == "upstream_auth_error"
    assert house.wire.keys == ["token-1"], "another one would be refused too"
    assert states(house) == ["quarantined"]


async def test_a_token_that_a_provider_repeats_is_not_shown(tmp_path: Path) -> None:
    house = house_with(tmp_path, Mint())
    house.wire.answer = lambda _: whole({"error": {"message": "no such thing for token-1"}}, 400)
    with pytest.raises(GatewayError, match=r"no such thing for \*\*\*"):
        await house.serve(chat())


async def test_one_that_cannot_be_made_is_the_credentials_fault(tmp_path: Path) -> None:
    mint = Mint(fault=OSError("no metadata service"))
    house = house_with(tmp_path, mint)
    for _ in range(3):
        assert await house.outcome(chat()) == "upstream_auth_error"
    assert mint.made == 1, "in quarantine nobody asks for one"
    assert mint.reasons == ["OSError: no metadata service"]
    assert (house.wire.keys, states(house)) == ([], ["quarantined"])
    mint.fault = None
    house.time[1] += 11
    assert await house.outcome(chat()) == "ok"
    assert states(house) == ["ready"]


async def test_another_target_serves_meanwhile(tmp_path: Path) -> None:
    mint = Mint(fault=ValueError("no region"))
    house = house_with(tmp_path, mint, models="m: [up/m, other/m]")
    assert await house.outcome(chat()) == "ok"
    assert house.wire.keys == ["cred-other-0123456789"]


def configured(folder: Path) -> ActiveProvider:
    (folder / "config.yaml").write_text(config_yaml())
    (provider,) = load([folder / "config.yaml"], {}, {}).providers
    return provider


async def test_a_provider_with_keys_pays_nothing_for_it(tmp_path: Path) -> None:
    upstream = Upstream(HttpxCarrier(Wire()), connect=1.0)
    assert authorized(upstream, configured(tmp_path), lambda: NOON, print) is upstream


@pytest.mark.parametrize("auth", ["aws", "google"])
async def test_a_library_that_fails_is_told_of_and_never_a_fault_of_ours(tmp_path: Path, auth: str) -> None:
    # Whether it is not installed or finds nothing here: no profile or file has this name.
    provider = replace(configured(tmp_path), auth=auth, identity=str(tmp_path / "nobody"))
    reasons: list[str] = []
    upstream = authorized(Upstream(HttpxCarrier(Wire()), connect=1.0), provider, lambda: NOON, reasons.append)
    with pytest.raises(CredentialRejected, match="could not be made"):
        await upstream.send(HttpRequest("POST", "https://x.test", ()))
    assert len(reasons) == 1
    await upstream.close()
