"""Google's Vertex AI: Gemini's dialect and Anthropic's behind one address.

https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest, version v1.
"""
