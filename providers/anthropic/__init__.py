"""Anthropic's Messages dialect (https://docs.anthropic.com/en/api/messages), version 2023-06-01."""
