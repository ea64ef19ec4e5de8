"""What sets one provider's OpenAI dialect apart from OpenAI's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Quirks:
    """How a provider's spelling of the OpenAI dialect departs from OpenAI's. Data, never a name."""

    exact: bool = False
    """Speaks clean OpenAI: its bytes pass through, read but not rewritten."""
    stream_usage: bool = True
    """Takes `stream_options.include_usage`. Off: it is not sent (usage comes anyway or never)."""
    developer_role: bool = True
    """Knows the `developer` role. Off: it is sent as `system`."""
    message_names: bool = True
    """Takes `name` on messages. Off: a message that has one is sent without it."""
    stop_list: bool = False
    """Takes `stop` as a list only. On: a single string is wrapped."""
    logprobs_count: bool = False
    """Takes `logprobs` as the number of alternatives (Together)."""
    reasoning_apart: bool = False
    """`completion_tokens` leaves the reasoning tokens out (xAI). On: they are added."""
    short_call_ids: bool = False
    """Takes tool call ids of nine letters or digits only (Mistral). On: others are re-made."""
    cache_hit_tokens: bool = False
    """Reports cached tokens as `prompt_cache_hit_tokens` (DeepSeek)."""
    image_sides: bool = False
    """Takes `width` and `height` for an image's `size`, and `base64` for `b64_json` (Together)."""
    image_ratio: bool = False
    """Takes `aspect_ratio` for the `size` of images and videos (xAI)."""
    files_in_json: bool = False
    """Takes images to edit as data URLs in JSON, not as a form (xAI)."""
    video_duration: bool = False
    """Takes `duration`, a number, for the `seconds` of a video (xAI)."""
    first_picture: tuple[bytes, bytes] | None = None
    """The JSON around the URL of the picture that a video begins with (xAI). None: it takes a form."""
    text_parts: bool = True
    """Takes text as a list of parts. Off: parts that are all text are joined (DeepSeek)."""
    document_parts: bool = False
    """Takes files as `document_url`, and sound without the name of its format (Mistral)."""
    thinking_parts: bool = False
    """Takes the reasoning of earlier turns as parts of their content, and no field that it does not know (Mistral)."""
    thinking_switch: bool = False
    """Is told not to reason by `thinking`, not by `reasoning_effort: none` (DeepSeek)."""
    cache_key_header: str = ""
    """The header that takes `prompt_cache_key` (xAI)."""
    lacks: frozenset[str] = frozenset()
    """Chat fields that it has no place for: refused, but left out where they ask for nothing (`n: 1`)."""
    respell: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    """Values of chat fields that it spells otherwise: field → ours → theirs. None: what it does anyway."""


NO_QUIRKS = Quirks()
