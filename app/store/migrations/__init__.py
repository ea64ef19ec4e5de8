"""Steps from one release's tables to the next one's, run by alembic on both databases.

A step says what it does in SQLAlchemy's words, or in SQL that both understand; a test runs all of them on both.
"""
