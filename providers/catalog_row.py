"""A row of the catalogue, and what rows share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from providers.types import Operation, Quirks

CHAT = frozenset({Operation.CHAT})
CHAT_EMBEDDINGS = frozenset({Operation.CHAT, Operation.EMBEDDINGS})
WORDS = CHAT_EMBEDDINGS | {Operation.COMPLETIONS}
ALL = frozenset(Operation)
HEARING = frozenset({Operation.TRANSCRIPTION, Operation.TRANSLATION})
VIDEOS = frozenset({Operation.VIDEO, Operation.VIDEO_STATUS, Operation.VIDEO_CONTENT, Operation.VIDEO_DELETE})
JOBS = frozenset({Operation.VIDEO, Operation.VIDEO_STATUS})
"""Videos whose files are fetched from the URL that their status tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What is known of a vendor or server before anybody configures it."""

    name: str
    base_url: str
    """Without a slash at its end; the dialect's paths follow it."""
    dialect: str = "openai"
    env: tuple[str, ...] = ()
    """The vendor's own variables for a credential; the first that is set counts."""
    auth: Literal["key", "aws", "google", "entra"] = "key"
    """What it is shown where no key is given: none, or what is made in its place."""
    base_url_env: tuple[str, ...] = ()
    """Variables that give the address of a server that runs anywhere; one that is set switches the row on."""
    key_required: bool = True
    """Whether it serves nobody without a credential."""
    allow_private: bool = False
    """Whether its address may be on this machine or in a private network."""
    dialects: Mapping[str, str] = field(default_factory=dict)
    """Models that it speaks another dialect for: pattern → dialect; the first that fits counts."""
    patterns: tuple[str, ...] = ()
    """Model names it claims, as shell patterns."""
    example: str = ""
    """A model to show people what a call looks like."""
    quirks: Quirks = field(default_factory=Quirks)
    rename: Mapping[str, str] = field(default_factory=dict)
    """Request fields it spells otherwise: ours → theirs."""
    drop: frozenset[str] = frozenset()
    """Request fields it cannot take and whose absence changes nothing that the client sees."""
    headers: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int | None = None
    """What to ask for where the dialect needs a number and the client gave none."""
    transport: Literal["http", "embedded"] = "http"
    operations: frozenset[Operation] = ALL
    paths: Mapping[Operation, str] = field(default_factory=dict)
    """Operations that it has elsewhere than its dialect says."""


LABELS = frozenset({"metadata", "safety_identifier", "user"})
"""What OpenAI keeps beside a call: nothing in the answer depends on it."""
HINTS = frozenset({"prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"})
"""What makes an answer sooner or cheaper, and no other."""
OPENAI_ONLY = frozenset(
    {"audio", "function_call", "functions", "modalities", "service_tier", "store", "verbosity"}
)
"""Chat fields that hardly anybody else has."""
SOUND_AND_FILES = frozenset({"file", "input_audio"})
"""Parts of messages that servers of OpenAI's dialect often do not know."""
OLD_TOKEN_CAP = MappingProxyType({"max_completion_tokens": "max_tokens"})
