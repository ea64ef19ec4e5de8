"""What is known of models: how often providers are asked, and what the configuration itself says."""

from __future__ import annotations

from typing import Literal

from app.config.scalars import Count, Duration, Flag, Listing, Maybe
from app.config.section import Section
from providers.facts import ModelFacts

Kind = Literal["text", "image", "audio", "video", "file"]


class ModelLists(Section):
    """The models that providers list themselves."""

    refresh: Duration = 3600.0
    """How often each provider is asked for its list, beside all calls; `0s`: never."""
    check: Flag = True
    """Whether targets are passed over whose model is known not to take a call: too long a prompt, or a picture."""


class Facts(Section):
    """What is so of a model. It stands in place of what its provider or the program knows."""

    context_window: Maybe[Count] = None
    """Tokens of its context window."""
    max_output: Maybe[Count] = None
    """Tokens of its longest answer."""
    inputs: Listing[Kind] = ()
    """What it takes: text, image, audio, video, file. An empty list: as the provider says."""

    @property
    def stated(self) -> ModelFacts:
        """Give the facts that there are."""
        return ModelFacts(self.context_window, self.max_output, frozenset(self.inputs) or None)
