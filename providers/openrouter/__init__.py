"""OpenRouter: OpenAI's dialect for words, and what is like it for pictures, videos and sound (https://openrouter.ai/docs/api)."""
