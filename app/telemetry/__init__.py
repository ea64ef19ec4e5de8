"""What happened, told to people: the call's record, log lines, metrics."""
