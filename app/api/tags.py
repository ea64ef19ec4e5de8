"""Tags that a client gives its call, as dimensions of the ledger: `x-switchgear-tags: project=a,env=b`."""

from __future__ import annotations

import re

from app.api.asgi import RawHeaders, header
from app.errors import BadRequest

MOST_TAGS = 10
_TAG = re.compile(r"([A-Za-z0-9_.-]{1,64})=([\w.:/@+ -]{0,128})", re.ASCII)


def read_tags(headers: RawHeaders) -> dict[str, str]:
    """Read the header. Raises `BadRequest` for one that is not as it should be."""
    raw = header(headers, b"x-switchgear-tags")
    if not raw or not raw.strip():
        return {}
    parts = [part.strip() for part in raw.decode("latin-1").split(",")]
    matches = [_TAG.fullmatch(part) for part in parts]
    tags = {match[1]: match[2] for match in matches if match}
    if None in matches or len(tags) != len(parts) or len(tags) > MOST_TAGS:
        raise BadRequest(
            f"x-switchgear-tags is to be like `project=a,env=b`: up to {MOST_TAGS} different names of letters, "
            "digits and `_.-`, with values of up to 128 such characters.",
            code="invalid_tags",
            param="x-switchgear-tags",
        )
    return tags
