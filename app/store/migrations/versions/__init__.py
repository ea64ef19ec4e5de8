"""One step a file, named by the schema version that it ends at."""
