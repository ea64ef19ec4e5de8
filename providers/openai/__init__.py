"""OpenAI's dialect, and the many that nearly are: chat, completions, embeddings."""
