"""What every mapping of settings is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator

EMPTY: Mapping[str, Any] = {}
"""The default of a mapping; pydantic gives every section a copy of its own."""


class Section(BaseModel):
    """A mapping of settings: frozen, and strict about its keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    later: ClassVar[frozenset[str]] = frozenset()
    """Keys that the design names and this version does not have: refused as such, never ignored."""
    alone: ClassVar[bool] = False
    """Whether one may be written where a list of them is meant."""
    inline: ClassVar[bool] = False
    """Whether it reads as one text, as its `str` gives it."""
    short: ClassVar[str] = ""
    """The setting whose list may be written in place of the whole mapping, if there is one."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_empty(cls, value: Any) -> Any:
        return {} if value is None else value
