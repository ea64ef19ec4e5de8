"""The conversation that a call is a part of: `x-switchgear-session`. It is read here, and never sent on."""

from __future__ import annotations

import re

from app.api.asgi import RawHeaders, header
from app.errors import BadRequest

LONGEST = 256
_SESSION = re.compile(rb"[!-~]{1,%d}" % LONGEST)


def read_session(headers: RawHeaders) -> str:
    """Read the header; empty where there is none. Raises `BadRequest` for one that is not as it should be."""
    raw = header(headers, b"x-switchgear-session")
    if not raw:
        return ""
    if not _SESSION.fullmatch(raw):
        raise BadRequest(
            f"x-switchgear-session is to be a name of up to {LONGEST} visible ASCII characters.",
            code="invalid_session",
            param="x-switchgear-session",
        )
    return raw.decode("ascii")
