"""TLS settings → contexts, and what is wrong with the files that they name."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.config.models import ProviderSettings
from app.config.pool import Tls
from app.config.problems import Problem
from app.config.stamps import Stamp
from app.config.tree import Node, place


class UnusableFile(Exception):
    """A file that cannot be used; `setting` names it."""

    def __init__(self, setting: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.setting = setting
        self.message = message
        self.hint = hint


def context(settings: Tls) -> ssl.SSLContext:
    """Make a context for connections to a server. Raises `UnusableFile`.

    With the system's authorities it takes 35 ms and half a megabyte: see `TlsContexts`.
    """
    for name in ("ca_file", "cert_file", "key_file"):
        _check_readable(name, getattr(settings, name))
    made = _trusting(settings.ca_file)
    made.set_alpn_protocols(["http/1.1"])
    if settings.cert_file:
        _show(made, settings.cert_file, settings.key_file)
    return made


class TlsContexts:
    """One context for all that have the same settings and the same files."""

    def __init__(self) -> None:
        self._made: dict[tuple[Tls, tuple[Stamp | None, ...]], ssl.SSLContext] = {}

    def of(self, settings: Tls) -> ssl.SSLContext:
        """Give the context of these settings. Raises `UnusableFile`."""
        key = settings, settings.stamps
        if key not in self._made:
            self._made[key] = context(settings)
        return self._made[key]


def unusable_files(providers: Mapping[str, ProviderSettings], tree: Node) -> Iterator[Problem]:
    """Say which of the files that providers' TLS settings name cannot be used."""
    for name, provider in providers.items():
        settings = provider.pool.tls
        try:
            # The system's authorities are not in question, and slow to read.
            if settings != Tls():
                context(settings)
        except UnusableFile as fault:
            path = ("providers", name, "pool", "tls", fault.setting)
            yield Problem(place(tree, path), path, fault.message, fault.hint)


def _check_readable(setting: str, path: str | None) -> None:
    try:
        if path is not None:
            with Path(path).open("rb") as file:
                file.read(1)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise UnusableFile(setting, f"{path} cannot be read: {reason}", "name a PEM file") from None


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise UnusableFile("ca_file", f"{ca_file} holds no certificate", "name a PEM file") from None


def _show(made: ssl.SSLContext, cert_file: str, key_file: str | None) -> None:
    holder = "key_file" if key_file else "cert_file"

    def ask_for_password() -> str:
        # Without this, OpenSSL would ask whoever sits at the terminal, and wait.
        raise UnusableFile(holder, "the private key is encrypted", "give it without a password")

    try:
        made.load_cert_chain(cert_file, key_file, ask_for_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UnusableFile(holder, "the private key is that of another certificate", "") from None
        hint = "`-----BEGIN CERTIFICATE-----` first, its key in the same file or in key_file"
        raise UnusableFile("cert_file", "no certificate with its private key", hint) from None
