"""What answers have beside OpenAI's fields, for clients to read and to send back with the next turn.

The next turn may go to another vendor. Each dialect takes up what is its own, and leaves the rest out: thoughts and
signatures of one vendor mean nothing to another, and most refuse fields that they do not know.
"""

from __future__ import annotations

OUTPUT_ITEMS = "output_items"

FIELDS = frozenset(
    {
        *("annotations", "citations", "content_parts", "executed_tools", "extra_content", "images"),
        *("parsed", "provider_specific_fields", "reasoning", "reasoning_content", "reasoning_details"),
        *("search_results", "thinking_blocks", "tool_plan", OUTPUT_ITEMS),
    }
)
"""Fields of an assistant's message."""

FOREIGN = FIELDS - {"annotations", "parsed"}
"""Those that OpenAI refuses, and so do others with closed schemas: it has given the first itself."""
