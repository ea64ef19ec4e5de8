"""Bytes that are too many to hold, and how they stand in a request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol


class Content(Protocol):
    """Bytes that are too many to hold, such as an uploaded file. An adapter passes it on and never reads it."""

    @property
    def size(self) -> int:
        """How many bytes they are."""
        ...

    def pieces(self) -> AsyncIterator[bytes]:
        """Give them, from the first on each time: every attempt sends them anew."""
        ...


@dataclass(frozen=True, slots=True)
class InBase64:
    """Stands in a request's body for the content in base64, without line breaks."""

    content: Content


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a client's form."""

    name: str
    """The field, as the client wrote it: `file`, `image[]`."""
    filename: str
    media: str
    """Its content type."""
    content: Content = field(repr=False)
