"""Bytes → one YAML document, with what goes wrong said at its place."""

from __future__ import annotations

import re

import yaml

from app.config.problems import Mark

LARGEST_TEXT = 1 << 20
"""Bytes of one file. The largest configuration seen is two orders smaller."""

QUOTE_IT = 'put quotes around it: "${NAME}"'
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"")


class UnreadableError(Exception):
    """A file of which nothing can be used."""

    def __init__(self, mark: Mark, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message
        self.hint = hint


def compose(data: bytes, source: str) -> yaml.Node | None:
    """Give the one document of a file, or nothing where it is empty. Raises `UnreadableError`."""
    text = _decoded(data, source)
    try:
        # `BaseLoader` takes every scalar for a text: 0123, 1:30 and 10.10 stay what was written.
        documents = yaml.compose_all(text, Loader=yaml.BaseLoader)
        first: yaml.Node | None = next(documents, None)
        second = next(documents, None)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, source) from None
    except yaml.reader.ReaderError as error:
        place = _place(source, text, error.position)
        raise UnreadableError(place, f"the character #x{error.character:04x} is not allowed") from None
    except RecursionError:
        raise UnreadableError(Mark(source), "the file is nested too deeply") from None
    if second is not None:
        hint = "one file holds one; remove the `---`"
        raise UnreadableError(mark_of(second.start_mark, source), "a second document", hint)
    return first


def mark_of(mark: yaml.Mark, source: str) -> Mark:
    """Count from 1, as editors do."""
    return Mark(source, mark.line + 1, mark.column + 1)


def _decoded(data: bytes, source: str) -> str:
    if len(data) > LARGEST_TEXT:
        raise UnreadableError(Mark(source), f"the file is larger than {LARGEST_TEXT} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8", "replace")
        raise UnreadableError(_place(source, good, len(good)), "the file is not UTF-8") from None


def _place(source: str, text: str, position: int) -> Mark:
    return Mark(source, text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position))


def _syntax_error(error: yaml.MarkedYAMLError, text: str, source: str) -> UnreadableError:
    problem = error.problem or ""
    # Where a quote or bracket is never closed, its beginning is what helps.
    at_end = "end of stream" in problem or "stream end" in problem
    place = error.context_mark if at_end and error.context_mark else error.problem_mark
    if place is None:
        return UnreadableError(Mark(source), f"not valid YAML: {problem}")
    if (bare := _bare_dollar(text, place.line)) is not None:
        return UnreadableError(Mark(source, place.line + 1, bare + 1), "`${` outside of quotes", QUOTE_IT)
    said = ", ".join(part for part in (error.context, problem) if part)
    hint = "indent with spaces, not tabs" if "'\\t'" in said else ""
    return UnreadableError(mark_of(place, source), f"not valid YAML: {said}", hint)


def _bare_dollar(text: str, index: int) -> int | None:
    """Find a `${` that is neither quoted nor in a comment: to YAML, its brace opens a mapping."""
    line = next(iter(text.split("\n")[index : index + 1]), "")
    blanked = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), line).partition(" #")[0]
    return blanked.index("${") if "${" in blanked else None
