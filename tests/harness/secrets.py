"""What must never be seen: every key, credential and canary that the tests plant."""

from __future__ import annotations

VENDOR_VARIABLES = (
    "ANTHROPIC_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "BLACKBOX_API_KEY",
    "CLOUDSDK_AUTH_ACCESS_TOKEN",
    "CEREBRAS_API_KEY",
    "CO_API_KEY",
    "COHERE_API_KEY",
    "DEEPSEEK_API_KEY",
    "FIREWORKS_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "OPENAI_API_KEY",
    "OPENROUTER_API_KEY",
    "PERPLEXITY_API_KEY",
    "TOGETHER_API_KEY",
    "XAI_API_KEY",
)


class Secrets:
    """A register of planted secrets."""

    def __init__(self) -> None:
        self._planted: set[str] = set()

    def plant(self, secret: str) -> str:
        """Remember a secret, and give it back."""
        assert len(secret) >= 12, "too short to be told from chance"
        self._planted.add(secret)
        return secret

    def assert_absent(self, data: bytes, where: str) -> None:
        """Fail if a planted secret is in these bytes, whole or in its telling part."""
        seen = [secret for secret in self._planted if secret.encode() in data]
        assert not seen, f"{where} shows {seen}"


def canary(name: str) -> str:
    """Give a value that is only ever seen where it leaks."""
    return f"canary-{name.lower().replace('_', '-')}-5f1c9e"
