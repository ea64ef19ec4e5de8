"""Where limits, budgets and breakers are kept: in this process, or in a Redis that several share."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, WithJsonSchema

from app.config.scalars import SecretText, refuse
from providers.types import Secret

OnStateLoss = Literal["local_share", "open", "closed"]
"""What becomes of a limit or a budget while the Redis that holds it is lost."""

MEMORY = "memory"
IN_MEMORY = Secret("memory://")
_WRITE = "write `memory://`, or `redis://host:6379/0` (`rediss://` with TLS)"
_DATABASE = re.compile(r"/?|/\d{1,4}")


def kind_of(state: Secret) -> str:
    """Give the scheme of a state's URL."""
    return state.reveal().partition(":")[0]


def _state(value: Secret) -> Secret:
    text = value.reveal()
    if text in ("memory://", "memory:"):
        return IN_MEMORY
    if not text.startswith(("redis://", "rediss://")):
        refuse("is none of the places where state can be kept" if text else "is empty", _WRITE)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        refuse("is no valid URL", _WRITE)
    if not parts.hostname or port == 0:
        refuse("the URL has no host" if not parts.hostname else "the URL's port is no port", _WRITE)
    if not _DATABASE.fullmatch(parts.path):
        refuse("the URL's path is no number of a database", "write it as in `redis://host:6379/0`")
    if parts.query or parts.fragment:
        refuse("the URL holds a `?` or `#` part", "leave it out; in a password write it as %3F or %23")
    return value


StateUrl = Annotated[
    SecretText,
    AfterValidator(_state),
    WithJsonSchema(
        {
            "default": "memory://",
            "anyOf": [
                {"type": "string", "pattern": r"\$\{|^(?:memory://|rediss?://.+)$"},
                {
                    "type": "object",
                    "properties": {
                        "file": {"type": "string", "description": "A file that holds the secret alone."}
                    },
                    "required": ["file"],
                    "additionalProperties": False,
                },
            ],
        }
    ),
]
"""`memory://`, `redis://` or `rediss://`. It may hold a password, so it is a secret."""
