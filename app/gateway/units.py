"""What the operations beside words will use: tokens, pictures, seconds, characters. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from providers.types import Call, Json, Operation, Usage

TOKENS_A_CHARACTER = 4 / 3
"""Audio tokens of spoken text: OpenAI makes 20 a second, and some 15 characters are spoken in one."""
TOKENS_HEARD = 10
"""Audio tokens of a second that is transcribed (platform.openai.com, speech to text)."""
BYTES_A_SECOND = 16_000
"""Of sound in a file: 128 kbit/s, what most are compressed to."""
TOKENS_DRAWN = {"low": 272, "medium": 1_056, "high": 4_160}
"""Image tokens of a square picture (platform.openai.com, image generation), by its quality."""
TOKENS_SEEN = 1_000
"""Of a picture in a prompt."""
USUAL_SECONDS = 4.0
"""Of a video whose length nobody said (platform.openai.com, videos)."""
WORDS = frozenset({Operation.CHAT, Operation.COMPLETIONS, Operation.EMBEDDINGS})
SILENT = frozenset(
    {
        *(Operation.EMBEDDINGS, Operation.RERANK, Operation.MODERATION),
        *(Operation.VIDEO_STATUS, Operation.VIDEO_CONTENT, Operation.VIDEO_DELETE),
    }
)
"""What generates nothing."""
NOTHING = Usage()


def expected(call: Call) -> Usage:
    """Give what a call will probably use, tokens that its text does not show included."""
    measure = _EXPECTED.get(call.operation)
    return NOTHING if measure is None else measure(call)


def most(call: Call) -> Usage | None:
    """Give what is billed beside tokens at most; None where the request does not bound it."""
    if call.operation in (Operation.TRANSCRIPTION, Operation.TRANSLATION, Operation.RERANK):
        return None
    if call.operation is Operation.VIDEO and _seconds(call.body.get("seconds")) is None:
        return None
    return expected(call)


def _spoken(call: Call) -> Usage:
    text = call.body.get("input")
    characters = len(text) if isinstance(text, str) else 0
    tokens = math.ceil(characters * TOKENS_A_CHARACTER)
    return Usage(output_tokens=tokens, audio_output_tokens=tokens, characters=characters)


def _drawn(call: Call) -> Usage:
    images = call.body.get("n") or 1
    tokens = images * TOKENS_DRAWN.get(str(call.body.get("quality")), TOKENS_DRAWN["medium"])
    seen = TOKENS_SEEN * len(call.files)
    return Usage(
        input_tokens=seen,
        image_input_tokens=seen,
        output_tokens=tokens,
        image_output_tokens=tokens,
        images=images,
    )


def _heard(call: Call) -> Usage:
    seconds = sum(file.content.size for file in call.files) / BYTES_A_SECOND
    tokens = math.ceil(seconds * TOKENS_HEARD)
    return Usage(input_tokens=tokens, audio_input_tokens=tokens, audio_seconds=seconds)


def _filmed(call: Call) -> Usage:
    return Usage(video_seconds=_seconds(call.body.get("seconds")) or USUAL_SECONDS)


def _ranked(_call: Call) -> Usage:
    return Usage(searches=1)


def _seconds(value: Json) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


_EXPECTED: Mapping[Operation, Callable[[Call], Usage]] = {
    Operation.SPEECH: _spoken,
    Operation.IMAGE_GENERATION: _drawn,
    Operation.IMAGE_EDIT: _drawn,
    Operation.TRANSCRIPTION: _heard,
    Operation.TRANSLATION: _heard,
    Operation.VIDEO: _filmed,
    Operation.RERANK: _ranked,
}
