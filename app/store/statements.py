"""Statements for many rows, and what both databases mean by adding to a row that is there."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Delete, Insert, Table
from sqlalchemy.ext.asyncio import AsyncConnection


class ForMany:
    """A statement for many rows. Its text is made once a dialect: for every batch, it would cost the event loop much."""

    def __init__(self, statement: Insert | Delete, then: str = "") -> None:
        """Take the statement, and what stands after it in every dialect."""
        self._statement = statement
        self._then = then
        self._texts: dict[str, str] = {}

    async def run(self, connection: AsyncConnection, rows: Sequence[tuple[object, ...]]) -> None:
        """Run it for each row: its values in the order in which the statement names them."""
        if not rows:
            return
        dialect = connection.dialect
        if (text := self._texts.get(dialect.name)) is None:
            text = f"{self._statement.compile(dialect=dialect)} {self._then}"
            self._texts[dialect.name] = text
        await connection.exec_driver_sql(text, list(rows))


def or_add(table: Table, key: Sequence[str], sums: Sequence[str]) -> str:
    """Say that a row with this key that is there already grows by the new one's numbers."""
    grown = (f'"{name}" = {table.name}."{name}" + excluded."{name}"' for name in sums)
    return f"ON CONFLICT ({_quoted(key)}) DO UPDATE SET {', '.join(grown)}"


def or_replace(key: Sequence[str], columns: Sequence[str]) -> str:
    """Say that a row with this key that is there already gets the new one's values."""
    replaced = (f'"{name}" = excluded."{name}"' for name in columns)
    return f"ON CONFLICT ({_quoted(key)}) DO UPDATE SET {', '.join(replaced)}"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
