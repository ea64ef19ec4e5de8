"""How fast: limits on requests, tokens and calls under way."""
