"""`switchgear init`: a first configuration from the vendors' variables that are set. It holds no secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.config import dialect_options
from app.config.environment import MASTER_KEY_VARIABLE
from providers.catalog import CATALOG, Provider

_HEAD = """\
# Switchgear's configuration. Every key is optional; `switchgear schema` describes them all.
version: 1
server:
  host: 127.0.0.1
  port: 4000
"""
_NO_PROVIDER = """\

# No vendor's key was set when this was written, so the embedded `echo` provider answers. To add one:
# providers:
#   openai:
#     keys: ["${OPENAI_API_KEY}"]
"""
_MODELS = """\

# Names of your own; the targets of each are tried in this order.
# models:
#   fast: [openai/gpt-4o-mini, anthropic/claude-haiku-4-5]
"""


def text_of(environ: Mapping[str, str]) -> str:
    """Write the configuration that these variables call for; it names the variables, never their values."""
    providers = [line for row in CATALOG.values() for line in _provider(row, environ)]
    middle = "\n".join(["", "providers:", *providers, ""]) if providers else _NO_PROVIDER
    return "".join((_HEAD, _auth(environ), middle, _MODELS))


def _auth(environ: Mapping[str, str]) -> str:
    if not environ.get(MASTER_KEY_VARIABLE):
        return ""
    return f'\nauth:\n  master_key: "${{{MASTER_KEY_VARIABLE}:-}}"\n'


def _provider(row: Provider, environ: Mapping[str, str]) -> Iterator[str]:
    key = next((name for name in row.env if environ.get(name)), None)
    address = next((name for name in row.base_url_env if environ.get(name)), None)
    if key is None and address is None:
        return
    if lacking := _lacking(row, environ, address):
        yield f"  # {row.name} is left out: it needs {lacking} too"
        return
    note = f"  # its address is in {address}" if address else ""
    yield f"  {row.name}:{'' if key else ' {}'}{note}"
    if key:
        yield f'    keys: ["${{{key}}}"]'


def _lacking(row: Provider, environ: Mapping[str, str], address: str | None) -> str:
    options = dialect_options.values_for(row.dialect, {}, environ)
    base_url = "" if address else dialect_options.filled(row.base_url, row.dialect, options)
    known = dialect_options.known_to(row.dialect)
    missing = dialect_options.missing(row.dialect, options, base_url)
    return " and ".join(" or ".join((*known[name].env, *row.base_url_env)) for name in missing)
