"""OpenAI's dialect as Azure serves it: other addresses, another header, and what its content filter says."""
