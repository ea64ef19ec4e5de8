"""Ollama's own dialect (https://docs.ollama.com/api): what its OpenAI form cannot say, such as `num_ctx` and `keep_alive`."""
