"""A configuration from a text, for all tests here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from app.config.loader import Loaded, load
from app.config.problems import ConfigError

Loads = Callable[..., Loaded]


@pytest.fixture
def loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loads:
    """Load texts as `config.yaml`, `config2.yaml` … of an empty working directory."""
    monkeypatch.chdir(tmp_path)

    def from_texts(
        *texts: str,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, str] | None = None,
        **options: Callable[[], float],
    ) -> Loaded:
        names = [f"config{index + 1 if index else ''}.yaml" for index in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            Path(name).write_text(text, encoding="utf-8")
            Path(name).chmod(0o600)
        return load([Path(name) for name in names], environ or {}, overrides or {}, **options)

    return from_texts


@pytest.fixture
def complaints(loads: Loads) -> Callable[..., list[str]]:
    """Give the lines that `switchgear check` would print; none for a good configuration."""

    def of(*texts: str, **settings: Mapping[str, str]) -> list[str]:
        try:
            loads(*texts, **settings)
        except ConfigError as error:
            return str(error).split("\n")
        return []

    return of
