"""What Fireworks has beside OpenAI's dialect (https://docs.fireworks.ai/api-reference/introduction)."""
