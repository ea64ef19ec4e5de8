"""The dialects: pure translators between the OpenAI API and what each provider speaks.

Nothing in this package does I/O, reads a clock or knows the gateway in `app/`.
"""
