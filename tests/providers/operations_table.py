"""Which provider has which operation and takes which field, as `PROVIDERS.md` tells it. `python -m tests.providers.operations_table` writes it anew."""

from __future__ import annotations

from pathlib import Path

from providers.catalog import CATALOG
from providers.registry import adapter_for
from providers.types import Operation
from tests.providers import fields_table

FILE = Path(__file__).parents[2] / "PROVIDERS.md"
COLUMNS = {
    "chat": Operation.CHAT,
    "completions": Operation.COMPLETIONS,
    "embeddings": Operation.EMBEDDINGS,
    "rerank": Operation.RERANK,
    "images": Operation.IMAGE_GENERATION,
    "image edits": Operation.IMAGE_EDIT,
    "videos": Operation.VIDEO,
    "speech": Operation.SPEECH,
    "transcriptions": Operation.TRANSCRIPTION,
    "translations": Operation.TRANSLATION,
    "moderations": Operation.MODERATION,
}
HEAD = """# Providers

What each provider of the catalogue is asked for. A server of your own that speaks OpenAI's dialect is asked for all of it;
what it lacks it refuses itself. The tables are written from the catalogue and the adapters; a test compares them.

"""


def table() -> str:
    """Give the whole file."""
    lines = [f"| | {' | '.join(COLUMNS)} |", f"|---|{':-:|' * len(COLUMNS)}"]
    for row in CATALOG.values():
        has = (
            "✓" if each in row.operations and adapter_for(row.dialect, each) else ""
            for each in COLUMNS.values()
        )
        lines.append(f"| `{row.name}` | {' | '.join(has)} |")
    return HEAD + "\n".join(lines) + "\n" + fields_table.section()


if __name__ == "__main__":
    FILE.write_text(table())
