"""Workers that ask each other."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
import structlog

from app.workers import fellows
from app.workers.fellows import Fellows


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("w")  # short: the path of a socket has little room


def worker(folder: Path, number: int) -> Fellows:
    return Fellows(str(folder), number, structlog.get_logger())


async def test_whoever_is_there_answers_and_nobody_else_is_waited_for(folder: Path) -> None:
    one, two, three = (worker(folder, number) for number in (1, 2, 3))

    async def answer(detail: str) -> bytes:
        return f"two has {detail}".encode()

    async def fail(_: str) -> bytes:
        raise RuntimeError("a fault of ours")

    two.answer("state", answer)
    three.answer("state", fail)
    for each in (one, two, three):
        await each.open()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(folder / "9"))
    dead.close()
    assert await one.ask("state", "x") == [b"two has x"]
    assert await one.ask("what only a later version knows") == []
    await two.close()
    assert await one.ask("state", "x") == []
    assert not (folder / "2").exists()
    await one.close()
    await three.close()


async def test_one_that_hangs_holds_nobody_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fellows, "WITHIN", 0.05)
    one, two = worker(folder, 1), worker(folder, 2)
    hangs = asyncio.Event()

    async def answer(_: str) -> bytes:
        await hangs.wait()
        return b""

    two.answer("state", answer)
    await two.open()
    assert await one.ask("state") == []
    hangs.set()
    await two.close()


async def test_alone_there_is_nobody_to_ask() -> None:
    alone = Fellows("", 1, structlog.get_logger())
    await alone.open()
    assert await alone.ask("state") == []
    await alone.close()
