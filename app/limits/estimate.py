"""What a call will probably use, before anybody knows."""

from __future__ import annotations

from collections import OrderedDict

from app.limits.latest import Latest
from providers.types import Call, Json

DEFAULT_OUTPUT = 512
"""Output tokens expected of a (key, model) of which little is known."""

WARM = 8
"""Outputs seen before they are believed."""

MOST_PAIRS = 4096

BYTES_PER_TOKEN = 4
"""English and code: about 4 in OpenAI's, Anthropic's and Google's tokenizers. Settlement mends the rest."""

MEDIA_TOKENS = 1000
"""For a picture, a sound or a file, whose bytes say little. Vendors bill some 100 to 2,000 for a picture."""

_INPUT_FIELDS = ("messages", "tools", "functions", "response_format", "prompt", "input", "query", "documents")
_MEDIA_PARTS = frozenset({"image_url", "input_audio", "file", "image", "audio", "video_url", "document"})


class OutputEstimates:
    """The 95th percentile of real outputs, learned for each (key, model).

    To reserve `max_tokens` would refuse calls for tokens that nobody uses: agents ask for 64,000 and get 800.
    What an estimate lacks becomes a debt of the limit at settlement.
    """

    def __init__(self, most_pairs: int = MOST_PAIRS) -> None:
        self._most = most_pairs
        self._samples: OrderedDict[tuple[str, str], Latest[int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._samples)

    def expect(self, key: str, model: str, cap: int | None) -> int:
        """Give the output tokens to reserve, never above `cap` (all answers of the call together)."""
        sample = self._samples.get((key, model))
        learned = None if sample is None else sample.p95(warm=WARM)
        expected = DEFAULT_OUTPUT if learned is None else learned
        return expected if cap is None else min(cap, expected)

    def learn(self, key: str, model: str, output_tokens: int) -> None:
        """Note what a call that ended well has produced. The pair that learned least lately is forgotten first."""
        pair = (key, model)
        sample = self._samples.get(pair)
        if sample is None:
            sample = self._samples[pair] = Latest()
            if len(self._samples) > self._most:
                self._samples.popitem(last=False)
        self._samples.move_to_end(pair)
        sample.add(output_tokens)


def input_estimate(call: Call) -> int:
    """Give about how many tokens the input has: text by its UTF-8 bytes, other parts a flat number each.

    Names count like text: those of a message stand for what separates it from the next. Total, never raises.
    """
    size, tokens = 0, 0
    pending: list[Json] = [call.body.get(field) for field in _INPUT_FIELDS]
    while pending:
        item = pending.pop()
        if item is None:
            continue
        if isinstance(item, str):
            size += len(item) if item.isascii() else len(item.encode(errors="surrogatepass"))
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            if _is_media(item):
                tokens += MEDIA_TOKENS
            else:
                pending.extend(item)
                pending.extend(item.values())
        elif isinstance(item, int):
            # A prompt may come as token ids.
            tokens += 1
    return tokens - (-size // BYTES_PER_TOKEN)


def _is_media(item: dict[str, Json]) -> bool:
    kind = item.get("type")
    return isinstance(kind, str) and kind in _MEDIA_PARTS
