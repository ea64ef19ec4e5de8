"""Taking configurations anew: when a file's change counts, and what becomes of a bad one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog

from app.config.loader import Loaded, load
from app.errors import InvalidConfiguration
from app.reloading import Reloader


class Desk:
    """A reloader with one file, and what it has done."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.yaml"
        self.write("models: {a: [echo/echo]}")
        self.applied: list[Loaded] = []
        self.results: list[str] = []
        self.log = structlog.testing.CapturingLogger()
        loaded = self.read()
        self.reloader = Reloader(self.read, self.apply, loaded, loaded, self.log, self)  # type: ignore[arg-type] - it records what a log would get

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def read(self) -> Loaded:
        return load([self.file], {}, {})

    async def apply(self, loaded: Loaded) -> None:
        self.applied.append(loaded)

    def reloaded(self, result: str) -> None:
        self.results.append(result)

    async def looks(self, *texts: str | None) -> None:
        """Follow the file, whose text becomes one of these before each look; None leaves it as it is."""
        left = list(texts)

        async def sleep(_: float) -> None:
            if not left:
                raise asyncio.CancelledError
            if (text := left.pop(0)) is not None:
                self.write(text)

        with pytest.raises(asyncio.CancelledError):
            await self.reloader.follow_files([self.file], sleep)


async def test_a_change_counts_when_the_file_has_stayed_as_it_is_for_a_look(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.looks(None, "models: {bb: [echo/echo]}", "models: {ccc: [echo/echo]}")
    assert desk.results == []
    await desk.looks("models: {dddd: [echo/echo]}", None, None)
    assert desk.results == ["applied"]
    assert list(desk.applied[0].config.models) == ["dddd"]


async def test_a_bad_file_is_told_of_once_and_the_next_good_one_is_taken(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.looks("models: {a: [nope/echo]}", None, None, None, "models: {again: [echo/echo]}", None)
    assert desk.results == ["rejected", "applied"]
    assert not desk.reloader.rejected


async def test_a_file_that_is_gone_or_empty_keeps_the_last_good_configuration(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write("")
    with pytest.raises(InvalidConfiguration, match="is empty"):
        await desk.reloader.reload("test")
    desk.file.unlink()
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        await desk.reloader.reload("test")
    assert desk.applied == []
    assert desk.reloader.rejected


async def test_what_has_not_changed_is_not_built_anew(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write("models: {a: [echo/echo]}  # with a comment")
    assert (await desk.reloader.reload("test")).changes == ()
    assert (desk.results, desk.applied) == (["unchanged"], [])


async def test_a_fault_of_ours_does_not_end_the_watching(tmp_path: Path) -> None:
    desk = Desk(tmp_path)

    async def fail(_: Loaded) -> None:
        raise RuntimeError("a fault")

    desk.reloader.apply = fail
    await desk.looks("models: {b: [echo/echo]}", None)
    desk.reloader.apply = desk.apply
    await desk.looks("models: {cc: [echo/echo]}", None)
    assert [list(each.config.models) for each in desk.applied] == [["cc"]]
