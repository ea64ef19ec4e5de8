"""Where keys and usage are kept: the `storage` URL, read and shown without its password. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl

from pydantic import ValidationInfo
from pydantic_core import CoreSchema, core_schema

from app.config.problems import did_you_mean
from app.config.scalars import refuse, secret
from providers.types import JsonObject, Secret

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
SQLITE_EXAMPLE = "such as `sqlite:///data/switchgear.db`"
POSTGRES_EXAMPLE = "such as `postgresql://user:password@host:5432/database`"

_SQLITE_PREFIX = "sqlite:///"
_POSTGRES_PREFIXES = ("postgresql://", "postgres://")
_LOCAL = Path("data/switchgear")
"""What a PostgreSQL's files on this machine are named after."""
_POSTGRES = re.compile(
    r"postgres(?:ql)?://(?:(?P<user>[^:@/?#]+)(?::(?P<password>[^:@/?#]*))?@)?(?P<hosts>[^@/?#]*)"
    r"/(?P<database>[^/?#]+)(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
)
_ILLEGAL = re.compile(r"[^\x21-\x7e]|%(?![0-9A-Fa-f]{2})")
_ANY = re.compile(r".+")
# libpq's names and values (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS).
_PARAMETERS: Mapping[str, re.Pattern[str]] = {
    "host": _ANY,
    "port": re.compile(r"\d{1,5}"),
    "sslmode": re.compile("disable|allow|prefer|require|verify-ca|verify-full"),
    "sslrootcert": _ANY,
    "sslcert": _ANY,
    "sslkey": _ANY,
    "sslcrl": _ANY,
    "passfile": _ANY,
    "target_session_attrs": re.compile("any|primary|read-write"),
    "application_name": _ANY,
}


class Fault(NamedTuple):
    """What is wrong with the URL, and what would be right. Never shows the URL: it may hold a password."""

    message: str
    hint: str


class Storage:
    """A `storage` URL that has no fault, written in the configuration as a secret is. Its `repr`, `str` and JSON forms have `***` for the password."""

    __slots__ = ("_url",)

    def __init__(self, url: Secret) -> None:
        self._url = url

    @classmethod
    def of(cls, url: str) -> Storage:
        """Give the storage of a URL. Raises `ValueError`, which shows no password."""
        if fault := fault_of(url):
            raise ValueError(f"`storage` {fault.message}; {fault.hint}")
        return cls(Secret(url))

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return SQLITE if self.reveal().startswith(_SQLITE_PREFIX) else POSTGRESQL

    @property
    def local(self) -> Path:
        """The SQLite file; of another database the file that would be there. What belongs to it lies beside it."""
        return Path(self.reveal().removeprefix(_SQLITE_PREFIX)) if self.kind == SQLITE else _LOCAL

    @property
    def has_password(self) -> bool:
        """Whether the URL itself holds a password."""
        match = _POSTGRES.fullmatch(self.reveal())
        return bool(match and match["password"])

    def reveal(self) -> str:
        """Give the URL, password and all; one that stands in a file as the file has it now."""
        return self._url.reveal()

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> CoreSchema:
        shown = core_schema.plain_serializer_function_ser_schema(str, return_schema=core_schema.str_schema())
        return core_schema.with_info_plain_validator_function(_read, serialization=shown)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: object, _handler: object) -> JsonObject:
        return _SCHEMA

    def __repr__(self) -> str:
        return re.sub(r"^(\w+://[^:@/]*):[^@]*@", r"\1:***@", self.reveal())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Storage) and other._url == self._url

    def __hash__(self) -> int:
        return hash(self._url)


def fault_of(url: str) -> Fault | None:
    """Say what is wrong with a `storage` URL, if anything is."""
    if url.startswith(_POSTGRES_PREFIXES):
        return _fault_of_postgres(url)
    if not url.startswith(_SQLITE_PREFIX) or url == _SQLITE_PREFIX:
        return Fault("must be sqlite:///path or postgresql://…", SQLITE_EXAMPLE)
    if ":memory:" in url or "?" in url:
        return Fault("must name a file", SQLITE_EXAMPLE)
    return None


def _fault_of_postgres(url: str) -> Fault | None:
    match = _POSTGRES.fullmatch(url)
    if match is None or _ILLEGAL.search(url):
        escapes = "in a password write `@` as %40, `/` as %2F, `:` as %3A, `#` as %23, `?` as %3F, `%` as %25"
        return Fault("is no PostgreSQL URL", f"{POSTGRES_EXAMPLE}; {escapes}")
    given = parse_qsl(match["query"] or "", keep_blank_values=True)
    if not match["hosts"] and "host" not in dict(given):
        return Fault("names no host", f"{POSTGRES_EXAMPLE}, or `?host=/run/postgresql` for a socket")
    if not all(_is_host(each) for each in match["hosts"].split(",") if match["hosts"]):
        return Fault("names a host or port that cannot be one", POSTGRES_EXAMPLE)
    return _fault_of_parameters(given)


def _is_host(text: str) -> bool:
    match = _HOST.fullmatch(text)
    return match is not None and 0 < int(match["port"] or 1) < 1 << 16


def _fault_of_parameters(given: list[tuple[str, str]]) -> Fault | None:
    for name, value in given:
        if name not in _PARAMETERS:
            hint = did_you_mean(name, _PARAMETERS) or f"known here: {', '.join(_PARAMETERS)}"
            return Fault(f"has a parameter `{name[:40]}` that means nothing here", hint)
        if not _PARAMETERS[name].fullmatch(value):
            pattern = _PARAMETERS[name].pattern
            hint = f"one of {', '.join(pattern.split('|'))}" if "|" in pattern else POSTGRES_EXAMPLE
            return Fault(f"has no good value for `{name}`", hint)
    if len(dict(given)) < len(given):
        return Fault("has a parameter that stands twice", "write it once")
    return None


def _read(value: object, info: ValidationInfo) -> Storage:
    if isinstance(value, Storage):
        return value
    if not isinstance(value, str | Mapping | Secret):
        refuse("must be a text", SQLITE_EXAMPLE)
    url = secret(value, info)
    if fault := fault_of(url.reveal()):
        refuse(*fault)
    return Storage(url)


_SCHEMA: JsonObject = {
    "anyOf": [
        {"type": "string", "pattern": r"\$\{|^(?:sqlite|postgres|postgresql)://"},
        {
            "type": "object",
            "properties": {"file": {"type": "string", "description": "A file that holds the URL alone."}},
            "required": ["file"],
            "additionalProperties": False,
        },
    ]
}
