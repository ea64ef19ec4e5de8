"""Cohere's dialect, version 2 (https://docs.cohere.com/reference/chat)."""
