"""Opens a database, and says whether alembic and the driver of PostgreSQL were loaded."""

import asyncio
import sys

from app.store.database import Database

asyncio.run(Database.open(f"sqlite:///{sys.argv[1]}"))
print("alembic" in sys.modules, "asyncpg" in sys.modules)
