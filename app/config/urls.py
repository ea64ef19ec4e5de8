"""What may be a provider's `base_url`, a proxy, or a URL that the gateway itself calls. Pure: names are not resolved here, connecting checks what they give."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from app.config.addresses import is_public, literal

_ILLEGAL = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\\"<>^`{|}]")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9%._~-]+)?\]")

EXAMPLE = "such as `https://api.acme.test/v1`"
PROXY_EXAMPLE = "such as `http://proxy.acme.test:3128`"
_USER = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[2-7][0-9A-Fa-f])*(?::(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[2-7][0-9A-Fa-f])*)?"
)
"""As RFC 3986 has user information, ASCII alone: HTTP's Basic scheme has no sure way to write more."""
_PERCENT = "write others as `%40`"
WEBHOOK_EXAMPLE = "such as `https://hooks.acme.test/budgets`"


class Fault(NamedTuple):
    """What is wrong with a URL, and what would be right. Never shows the URL: it may hold a password."""

    message: str
    hint: str


def fault_of(url: str, *, allow_private: bool) -> Fault | None:
    """Say what is wrong with a base URL, if anything is."""
    if _ILLEGAL.search(url):
        return Fault("the URL holds a space or another character that a URL cannot", EXAMPLE)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        return Fault(f"no valid URL: {error}", EXAMPLE)
    if "?" in url or "#" in url:
        return Fault("the URL holds a `?` or `#` part", EXAMPLE)
    return _fault_of_form(parts, host, port) or (None if allow_private else _fault_of_host(host))


def fault_of_proxy(url: str, *, allow_private: bool) -> Fault | None:
    """Say what is wrong with a proxy's URL, if anything is. It may hold a user name and a password."""
    scheme, separator, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    if at and not _USER.fullmatch(user):
        return Fault("the URL's user name or password holds a character that it cannot", _PERCENT)
    fault = fault_of(f"{scheme}{separator}{host}", allow_private=allow_private)
    if fault is not None:
        return Fault(fault.message, PROXY_EXAMPLE if fault.hint == EXAMPLE else fault.hint)
    if "/" in host.removesuffix("/"):
        return Fault("the URL of a proxy has no path", PROXY_EXAMPLE)
    return None


def fault_of_own(url: str, example: str, *, allow_private: bool) -> Fault | None:
    """Say what is wrong with a URL that the gateway itself calls, such as a webhook's, if anything is.

    It may hold a query, where many services want a token. To another machine it is https://, unless private
    addresses are allowed; this machine needs no allowance.
    """
    before_query, mark, query = url.partition("?")
    fault = fault_of(before_query, allow_private=True)
    if fault is None and mark and ("#" in query or _ILLEGAL.search(query)):
        fault = Fault("the URL's query holds a character that it cannot", example)
    if fault is not None:
        return Fault(fault.message, example)
    parts = urlsplit(before_query)
    host = parts.hostname or ""
    if allow_private or is_this_machine(host):
        return None
    if parts.scheme == "http":
        hint = "set `allow_private: true` beside it if the way there is private"
        return Fault("the URL must begin with https://", hint)
    if is_private_host(host):
        return Fault(f"{host} is no public address", "set `allow_private: true` beside it if that is meant")
    return None


def completed(given: str, usual: str) -> str:
    """Fill in what a vendor's variable may leave out, as in `127.0.0.1:11434`: scheme, port and path."""
    pattern = urlsplit(usual)
    scheme, separator, rest = given.rpartition("://")
    authority, slash, path = rest.partition("/")
    if not separator:
        scheme = pattern.scheme
        if ":" not in authority.rpartition("]")[2] and pattern.port:
            authority += f":{pattern.port}"
    return f"{scheme}://{authority}{slash + path if path else pattern.path}"


def is_private_host(host: str) -> bool:
    """Whether the host is an address that is not public, or a name that always means this machine."""
    if (ip := literal(host)) is not None:
        return not is_public(ip)
    name = host.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def is_this_machine(host: str) -> bool:
    """Whether the host is a loopback address, or a name that always means one."""
    ip = literal(host)
    return is_private_host(host) if ip is None else ip.is_loopback


def _fault_of_form(parts: SplitResult, host: str, port: int | None) -> Fault | None:
    netloc = parts.netloc.rpartition("@")[2]
    checks = (
        (
            parts.scheme not in {"http", "https"},
            Fault("the URL must begin with https:// or http://", EXAMPLE),
        ),
        (
            "@" in parts.netloc,
            Fault("the URL holds a user name or password", "put the credential under `keys`"),
        ),
        (not host, Fault("the URL has no host", EXAMPLE)),
        (port == 0 or netloc.endswith(":"), Fault("the URL's port is no port", EXAMPLE)),
        (
            not _HOST.fullmatch(netloc.removesuffix(f":{port}")) or not _may_be_looked_up(host),
            Fault("the URL's host is no host name", EXAMPLE),
        ),
        (
            any(part in {".", ".."} for part in parts.path.split("/")),
            Fault("the URL's path holds dots", EXAMPLE),
        ),
    )
    return next((fault for wrong, fault in checks if wrong), None)


def _may_be_looked_up(host: str) -> bool:
    # What the name system has no room for makes the look-up fail in ways of its own (RFC 1035, 2.3.4).
    return len(host) < 254 and all(0 < len(label) < 64 for label in host.removesuffix(".").split("."))


def _fault_of_host(host: str) -> Fault | None:
    if not is_private_host(host):
        return None
    return Fault(
        f"{host} is no public address", "set `allow_private: true` for this provider if that is meant"
    )
