"""Mistral: OpenAI's dialect, and speech of its own."""
