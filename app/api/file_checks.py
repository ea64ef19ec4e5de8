"""Which files an operation needs. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.errors import BadRequest
from providers.types import JsonObject, Operation, Upload

_HEARING = frozenset({Operation.TRANSCRIPTION, Operation.TRANSLATION})


def check_files(operation: Operation, body: JsonObject, files: Sequence[Upload]) -> None:
    """Raise `BadRequest` where what is to be worked on is missing."""
    names = {file.name for file in files}
    if operation in _HEARING and "file" not in names and not body.get("url"):
        raise _missing("file", "the sound")
    given = names | body.keys()
    if operation is Operation.IMAGE_EDIT and not given & {"image", "image[]", "images"}:
        raise _missing("image", "the image, or several as `image[]`,")


def _missing(name: str, what: str) -> BadRequest:
    return BadRequest(
        f"`{name}` is required: send {what} as a file of the form.",
        code="missing_required_parameter",
        param=name,
    )
