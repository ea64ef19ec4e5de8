"""What survives a restart. The only SQL."""
