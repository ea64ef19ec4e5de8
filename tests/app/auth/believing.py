"""Tokens verified in this process: everything is the real thing but the clock and the wire."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import structlog

from app.auth.directory import Directory
from app.auth.issuer_keys import FetchedKeys, FetchFailed
from app.auth.presented import digest
from app.auth.principal import Principal
from app.auth.tokens import Tokens
from app.config.issuers import Issuer
from app.config.models import Config
from tests.harness.issuer import AUDIENCE, ISSUER, key_set, public_jwk

NOW = 1_800_000_000.0


def issuer(**settings: Any) -> Issuer:
    """Give the settings of the issuer that tests use."""
    return Issuer(
        **{
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "jwks_url": "https://id.acme.test/keys",
            "algorithms": ("ES256",),
            **settings,
        }
    )


@dataclass
class Wire:
    """Stands where the client is: answers with a document, or fails."""

    document: bytes | Exception
    fetches: int = 0
    gate: asyncio.Event | None = None

    async def __call__(self) -> bytes:
        self.fetches += 1
        if self.gate:
            await self.gate.wait()
        if isinstance(self.document, Exception):
            raise self.document
        return self.document


DOWN = FetchFailed("down")


@dataclass
class Belief:
    """Tokens, and what they stand on."""

    tokens: Tokens
    keys: FetchedKeys
    wire: Wire
    time: list[float]
    """One number: Unix seconds, which are monotonic ones too."""
    log: Any = field(repr=False, default=None)

    async def recognise(self, raw: bytes) -> Principal:
        found = self.tokens.recognise(raw, digest(raw))
        return found if isinstance(found, Principal) else await found


async def believe(
    *algorithms: str, document: bytes | Exception | None = None, config: Config | None = None, **settings: Any
) -> Belief:
    """Trust an issuer whose keys are fetched already."""
    known = algorithms or ("ES256",)
    time = [NOW]
    wire = Wire(key_set(public_jwk(known[0])) if document is None else document)
    trusted = issuer(algorithms=known, **settings)
    log = structlog.testing.CapturingLogger()
    keys = FetchedKeys(ISSUER, known, wire, lambda: time[0], log)
    tokens = Tokens([trusted], {ISSUER: keys}, Directory(config or Config()), lambda: time[0])
    await keys.renewal()
    return Belief(tokens, keys, wire, time, log)
