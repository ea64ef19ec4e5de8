"""Blackbox: OpenAI's dialect, and images and videos by way of its chat."""
