"""How connections to a provider are made and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from app.config.scalars import Maybe, SecretText, Text, Wait, refuse
from app.config.section import Section
from app.config.stamps import Stamp, stamp_of


class Tls(Section):
    """Which certificates count, as PEM files. What is not trusted is not talked to: nothing turns that off."""

    ca_file: Maybe[Text] = None
    """The authorities that are trusted, in place of the system's."""
    cert_file: Maybe[Text] = None
    """A certificate of ours to show, with what leads from it to its authority."""
    key_file: Maybe[Text] = None
    """Its private key, unencrypted. Default: it stands in cert_file too."""

    @property
    def stamps(self) -> tuple[Stamp | None, ...]:
        """Give what changes when one of the files does."""
        return tuple(stamp_of(Path(each)) for each in (self.ca_file, self.cert_file, self.key_file) if each)

    @model_validator(mode="after")
    def _a_key_has_its_certificate(self) -> Self:
        if self.key_file and not self.cert_file:
            refuse("key_file stands without cert_file", "name the file of the key's certificate too")
        return self


class Pool(Section):
    """How connections to a provider are made and kept."""

    transport: Literal["auto", "lean", "httpx2"] = "auto"
    """What carries requests. `auto`: httpx2 through a proxy, else lean, which takes a small part of the CPU."""
    keepalive: Wait = 60.0
    """How long an idle connection is kept. Shorter than the provider keeps it is best."""
    proxy: Maybe[SecretText] = None
    """The HTTP proxy to go through, as `http://user:password@host:port`. Those of the environment are never used."""
    tls: Tls = Tls()
    """Which certificates count."""

    @model_validator(mode="after")
    def _proxies_are_for_httpx2(self) -> Self:
        if self.proxy and self.transport == "lean":
            refuse("only httpx2 goes through a proxy", "leave `transport` at auto")
        return self
