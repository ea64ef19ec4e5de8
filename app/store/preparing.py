"""How a database gets the tables of this release: made at once where there are none, else migrated."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select, update

from app.store.schema import FOLLOWED, SCHEMA_VERSION, changes, metadata, schema_version


class SchemaTooNew(Exception):
    """A newer release has written this database."""


def found_version(connection: Connection) -> int | None:
    """Give the schema version of a database; None where it has no tables. Raises `SchemaTooNew`."""
    if not inspect(connection).has_table(schema_version.name):
        return None
    found = connection.execute(select(schema_version.c.version)).scalar()
    if found is not None and found > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"the database has schema version {found} and this release knows versions up to {SCHEMA_VERSION}: "
            "run the release that wrote it, or a newer one, or set `storage` to another database"
        )
    return found


def create_or_keep(connection: Connection) -> bool:
    """Make the tables where there are none; say whether they are now of this release. Raises `SchemaTooNew`.

    Run it inside a transaction that excludes other writers.
    """
    found = found_version(connection)
    if found is None:
        metadata.create_all(connection)
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
        connection.execute(insert(changes), [{"subject": name, "count": 0} for name in FOLLOWED])
    return found in (None, SCHEMA_VERSION)


def migrate(connection: Connection) -> None:
    """Bring the tables of an older release to this one's, in the transaction that this connection is in.

    It takes its time. Run it inside a transaction that excludes other writers. Raises `SchemaTooNew`,
    SQLAlchemy's errors.
    """
    # Alembic takes a third of a second to import, and a start needs it only after an update.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    found = found_version(connection)
    if found == SCHEMA_VERSION:
        return  # another process was first
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    # `schema_version` is the truth, of databases that never saw alembic too; its own table goes again.
    command.stamp(config, str(found))
    command.upgrade(config, str(SCHEMA_VERSION))
    connection.exec_driver_sql("DROP TABLE alembic_version")
    connection.execute(update(schema_version).values(version=SCHEMA_VERSION))
