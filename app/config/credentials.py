"""Are the secrets fit to be used? Pure."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.encryption import MAKE_ONE as MAKE_KEY
from app.config.encryption import key_bytes
from app.config.models import Auth, Config
from app.config.problems import Path
from app.config.shape import secrets_in
from providers.types import Secret

SHORTEST_KEY = 16
"""Characters. 16 of a random alphanumeric key are 95 bits."""

Finding = tuple[Path, str, str]

# What documents, examples and other gateways put where a secret belongs.
_PLACEHOLDERS = frozenset(
    {
        *(
            "changeme",
            "change_me",
            "replaceme",
            "replace_me",
            "your_api_key",
            "your_key",
            "your_api_key_here",
        ),
        *("yourapikey", "api_key", "apikey", "todo", "fixme", "xxx", "xxxx", "sk_...", "..."),
    }
)
_GUESSED_FIRST = frozenset(
    {
        *(
            "secret",
            "password",
            "passwd",
            "test",
            "testing",
            "example",
            "default",
            "admin",
            "root",
            "master",
            "key",
        ),
        *(
            "sk_1234",
            "sk_123",
            "sk_test",
            "1234",
            "12345",
            "123456",
            "12345678",
            "letmein",
            "token",
            "master_key",
        ),
        *("sk_master", "sk_master_key", "switchgear", "sk_switchgear", "qwerty"),
    }
)
_MAKE_ONE = "make one: python3 -c \"import secrets; print('sk-' + secrets.token_urlsafe(32))\""


def findings(config: Config) -> Iterator[Finding]:
    """Say what is wrong with the secrets themselves. Empty ones of providers are theirs to judge."""
    for path, secret in secrets_in(config):
        if secret and (path == ("notifications", "webhook") or path[2:] == ("pool", "proxy")):
            # These are URLs, and judged as such.
            continue
        of_provider = path[0] == "providers"
        text = secret.reveal()
        if not text:
            if not of_provider and path != ("auth", "master_key"):
                yield path, "the secret is empty", "give one, or remove the setting"
        elif path[0] == "encryption":
            yield from _encryption_key(path, text)
        elif fault := fault_of(text, guards_us=not of_provider):
            yield path, *fault
    yield from _keys(config.auth)


def _encryption_key(path: Path, text: str) -> Iterator[Finding]:
    try:
        key_bytes(text)
    except ValueError as error:
        yield path, str(error), MAKE_KEY


def fault_of(text: str, *, guards_us: bool) -> tuple[str, str] | None:
    """Say why a text cannot be a secret: one that everybody knows, or one that no header can carry."""
    if not all("!" <= character <= "~" for character in text):
        return "the secret holds a space, a line break or a character beyond ASCII", "it travels in a header"
    folded = text.lower().replace("-", "_").strip("<>")
    if folded in _PLACEHOLDERS or text.startswith("<"):
        return "the secret is a placeholder", "put the real one in its place"
    if guards_us and folded in _GUESSED_FIRST:
        return "the secret is one that everybody tries first", _MAKE_ONE
    return None


def _keys(auth: Auth) -> Iterator[Finding]:
    names: dict[str, int] = {}
    secrets: dict[Secret, str] = {auth.master_key: "auth.master_key"} if auth.master_key else {}
    for index, key in enumerate(auth.keys):
        path: Path = ("auth", "keys", index)
        if key.name in names:
            yield (
                (*path, "name"),
                f"the name `{key.name}` stands twice",
                f"the first is auth.keys[{names[key.name]}]",
            )
        names.setdefault(key.name, index)
        if not key.key:
            continue
        if key.key in secrets:
            yield (
                (*path, "key"),
                f"the same secret as {secrets[key.key]}",
                "give every key a secret of its own",
            )
        secrets.setdefault(key.key, f"auth.keys[{index}].key")
        if len(key.key.reveal()) < SHORTEST_KEY:
            yield (*path, "key"), f"the secret is shorter than {SHORTEST_KEY} characters", _MAKE_ONE
