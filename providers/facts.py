"""What is known of a model."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts of one model. None: not known."""

    context_window: int | None = None
    """Tokens of prompt and answer together, or of the prompt alone, as the provider counts."""
    max_output: int | None = None
    """Tokens of one answer."""
    inputs: frozenset[str] | None = None
    """What it takes: `text`, `image`, `audio`, `video`, `file`."""
    outputs: frozenset[str] | None = None
    """What it gives, in the same words, or `embedding`, `ranking`."""
    capabilities: frozenset[str] | None = None
    """What else it can: `tools`, `reasoning`, `structured_output`."""

    def over(self, other: ModelFacts) -> ModelFacts:
        """Give these facts, and the other ones where these are silent."""
        if other is NOTHING:
            return self
        pairs = ((getattr(self, each.name), getattr(other, each.name)) for each in fields(self))
        return ModelFacts(*(theirs if mine is None else mine for mine, theirs in pairs))


NOTHING = ModelFacts()
"""Of a model that nobody has told of."""
