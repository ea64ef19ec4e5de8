"""`${NAME}` in a text: exactly three forms, one pass, nothing else is special.

    ${NAME}            the variable; an error if it is not set
    ${NAME:-default}   the default where the variable is unset or empty
    ${NAME:?message}   an error with this message where it is unset or empty
    $${                a literal ${

Any other `$` stands for itself. What a variable holds is never expanded again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"\$\$\{|\$\{([^}]*)\}|\$\{")
_FORM = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::([-?])(.*))?", re.DOTALL)

FORMS = "the forms are ${NAME}, ${NAME:-default} and ${NAME:?message}; $${ is a literal ${"


class InterpolationError(ValueError):
    """A `${…}` that has no value or no meaning."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def interpolate(text: str, environ: Mapping[str, str]) -> str:
    """Replace the three forms by what the environment holds. Raises `InterpolationError`."""
    return _TOKEN.sub(lambda token: _replacement(token, environ), text)


def _replacement(token: re.Match[str], environ: Mapping[str, str]) -> str:
    if token[0] == "$${":
        return "${"
    if token[1] is None:
        raise InterpolationError("a `${` without its `}`", FORMS)
    form = _FORM.fullmatch(token[1])
    if form is None:
        raise InterpolationError(f"`{token[0]}` is no form of interpolation", FORMS)
    name, kind, rest = form.groups()
    if rest is not None and "${" in rest:
        raise InterpolationError(f"`{token[0]}…` nests one `${{` in another", FORMS)
    return _value(name, kind, rest, environ)


def _value(name: str, kind: str | None, rest: str | None, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if kind is None:
        if value is None:
            raise InterpolationError(
                f"the environment variable {name} is not set", f"set it, or write ${{{name}:-default}}"
            )
        return value
    if value:
        return value
    if kind == "?":
        raise InterpolationError(rest or f"the environment variable {name} is not set", f"set {name}")
    return rest or ""
