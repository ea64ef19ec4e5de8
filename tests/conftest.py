"""What holds for every test: nobody talks past loopback, and whatever is secret is watched."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers as conjecture

from tests.harness.postgres import PostgresServer
from tests.harness.rig import Rig, start_rig
from tests.harness.secrets import VENDOR_VARIABLES, Secrets, canary
from tests.harness.valkey import Valkey, start_valkey

# `make test` is to be quick; `make test-all` looks longer.
settings.register_profile("quick", deadline=None, max_examples=15)
settings.register_profile("thorough", deadline=None, max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
if settings.get_current_profile_name() == "quick":
    # It would read every module for constants to try: five seconds in each process that runs tests.
    conjecture.is_local_module_file = lambda _: False

# Set at import, so that every test sees them: a test that reaches for a real key gets a canary.
os.environ.update({name: canary(name) for name in VENDOR_VARIABLES})

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def _refuse_outside(address: Any) -> None:
    if isinstance(address, tuple) and address[0] not in LOOPBACK:
        raise AssertionError(f"a test tried to connect to {address}: only loopback is allowed")


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Iterator[None]:
    """Refuse every connection that would leave this machine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse_outside(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_outside(address)
        return connect_ex(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    """The register of planted secrets; the vendor variables' canaries are in it."""
    register = Secrets()
    for name in VENDOR_VARIABLES:
        register.plant(canary(name))
    return register


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory, secrets: Secrets) -> Iterator[Rig]:
    """One gateway and one upstream with many slots, for all tests that need no configuration of their own."""
    with start_rig(tmp_path_factory.mktemp("gateway"), secrets) as running:
        yield running


@pytest.fixture(scope="session")
def postgres(secrets: Secrets) -> Iterator[PostgresServer]:
    """One PostgreSQL, for all tests that do it no harm; each makes a database of its own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """One server for all tests that leave it as it is but for its keys."""
    with start_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give out files that mostly wait by turns with those that mostly compute, so that neither leaves a core idle."""
    files = list(dict.fromkeys(item.path for item in items))
    waiting = [file for file in files if {"e2e", "faults"} & set(file.parts)]
    computing = [file for file in files if file not in set(waiting)]
    turns = {file: 2 * turn for turn, file in enumerate(waiting)}
    turns |= {file: 2 * turn + 1 for turn, file in enumerate(computing)}
    items.sort(key=lambda item: turns[item.path])
