"""What a look at one thing has shown."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One line of the report."""

    level: Literal["ok", "warn", "fail"]
    subject: str
    found: str
    advice: str = ""
    """What to do; empty where nothing is to be done."""


def ok(subject: str, found: str) -> Finding:
    """Say that all is well."""
    return Finding("ok", subject, found)


def warn(subject: str, found: str, advice: str) -> Finding:
    """Say what works and should be changed."""
    return Finding("warn", subject, found, advice)


def broken(subject: str, found: str, advice: str) -> Finding:
    """Say what does not work."""
    return Finding("fail", subject, found, advice)
