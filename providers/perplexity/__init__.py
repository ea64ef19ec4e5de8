"""Perplexity's Agent API (https://docs.perplexity.ai): the Responses dialect, with searches of its own."""
