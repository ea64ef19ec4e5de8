"""Connections that configurations share, and when they are closed."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

from app.config.activation import ActiveProvider
from app.config.loader import load
from app.gateway.upstreams import Upstreams


class Wire:
    """Stands where connections do, and knows whether it was closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    async def close(self) -> None:
        self.closed = True


def a_provider(folder: Path) -> ActiveProvider:
    file = folder / "config.yaml"
    file.write_text("providers: {acme: {base_url: https://acme.example/v1, keys: [cred-acme-0123456789]}}")
    (provider,) = load([file], {}, {}).providers
    return provider


async def test_connections_outlive_a_change_of_what_does_not_concern_them(tmp_path: Path) -> None:
    opened: list[Wire] = []

    def open_one(provider: ActiveProvider) -> Wire:
        opened.append(Wire(provider.name))
        return opened[-1]

    upstreams = Upstreams(open_one)  # type: ignore[arg-type] - it is closed as an upstream is
    first = a_provider(tmp_path)
    renamed = dataclasses.replace(first, drop=frozenset({"logit_bias"}))
    apart = dataclasses.replace(first, allow_private=True)
    taken = [upstreams.take([each])["acme"] for each in (first, renamed, apart)]
    assert taken[0] is taken[1]
    assert taken[2] is not taken[1]

    upstreams.give_back([first])
    await asyncio.sleep(0)
    assert [wire.closed for wire in opened] == [False, False]
    upstreams.give_back([renamed])
    await asyncio.sleep(0)
    assert [wire.closed for wire in opened] == [True, False]
    await upstreams.close()
    assert [wire.closed for wire in opened] == [True, True]
