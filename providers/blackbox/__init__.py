"""Blackbox: OpenAI's dialect, and images by way of its chat."""
