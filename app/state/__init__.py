"""What several processes and machines share: the way to Redis or Valkey, and who else is there."""
