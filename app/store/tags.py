"""One tag of a call, as each database finds it in the JSON text that `tags` is."""

from __future__ import annotations

from sqlalchemy import Column, ColumnElement, String, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from providers.types import Json


class tag_value(GenericFunction[str]):  # noqa: N801 - named as functions of SQL are
    """The value of a tag; NULL where a call has no such tag."""

    type = String()
    inherit_cache = True

    def __init__(self, tags: Column[str], name: str) -> None:
        super().__init__(tags, bindparam(None, name, String()))


@compiles(tag_value, "sqlite")
def _in_sqlite(element: ColumnElement[str], compiler: SQLCompiler, **options: Json) -> str:
    tags, name = (compiler.process(each, **options) for each in element.clauses)
    return f"json_extract({tags}, '$.\"' || {name} || '\"')"


@compiles(tag_value, "postgresql")
def _in_postgresql(element: ColumnElement[str], compiler: SQLCompiler, **options: Json) -> str:
    tags, name = (compiler.process(each, **options) for each in element.clauses)
    return f"(CAST({tags} AS json) ->> {name})"
