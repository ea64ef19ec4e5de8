"""Headers that a provider is sent beside the gateway's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from app.config.scalars import Table, Text, refuse

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110, 5.6.2)."""
_VALUE = re.compile(r"[\x20-\x7e]*")
_OURS = frozenset(
    {
        *("accept", "accept-encoding", "connection", "content-length", "content-type", "expect", "host"),
        *("keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
_CREDENTIALS = frozenset(
    {"api-key", "authorization", "cookie", "proxy-authorization", "x-api-key", "x-goog-api-key"}
)


def _fit(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if name.lower() in _CREDENTIALS:
            refuse(f"`{name}` is a credential's header", "put the credential under `keys`")
        if not _NAME.fullmatch(name) or name.lower() in _OURS:
            refuse(f"`{name}` cannot be set", "name a header that is not part of how requests travel")
        if not _VALUE.fullmatch(value):
            refuse(f"the value of `{name}` cannot be sent", "use printable ASCII characters")
    return headers


Headers = Annotated[Table[Text], AfterValidator(_fit)]
