"""Embeddings of more texts than one request of a provider's takes: the smaller calls, and their answers as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from providers.errors import MalformedResponse, RequestRejected
from providers.types import Call, Reply, Usage

MOST_TEXTS = 2_048
"""Texts of one call (https://platform.openai.com/docs/api-reference/embeddings/create): each may be a request."""


class _Counts(msgspec.Struct):
    prompt_tokens: int = 0
    total_tokens: int = 0


class _Answer(msgspec.Struct):
    """As much of an answer in OpenAI's shape as is joined: the vectors stay unread."""

    data: list[dict[str, msgspec.Raw]]
    usage: _Counts | None = None


_index = msgspec.json.Decoder(int)


def split(call: Call, most: int) -> Sequence[Call]:
    """Give the calls of at most so many texts; what holds no list of texts alone is left to be refused.

    Raises `RequestRejected` for more texts than one call may have.
    """
    given = call.body.get("input")
    if not isinstance(given, list) or len(given) <= most or not all(isinstance(each, str) for each in given):
        return (call,)
    if len(given) > MOST_TEXTS:
        raise RequestRejected(
            f"`input` has {len(given):,} texts, and a call takes {MOST_TEXTS:,} at most. Send several calls.",
            param="input",
        )
    return [
        replace(call, body={**call.body, "input": given[at : at + most]}) for at in range(0, len(given), most)
    ]


def join(parts: Sequence[Call], replies: Sequence[Reply]) -> Reply:
    """Give one answer, its vectors in the order of the texts. Raises `MalformedResponse` where there is not one for each."""
    try:
        answers = [msgspec.json.decode(reply.body, type=_Answer) for reply in replies]
        body = msgspec.json.decode(replies[0].body, type=dict[str, msgspec.Raw])
        vectors: list[dict[str, msgspec.Raw]] = []
        for part, answer in zip(parts, answers, strict=True):
            vectors += _numbered(answer.data, len(vectors), len(part.body["input"]))
    except (ValueError, KeyError) as error:
        raise MalformedResponse("the parts of the answer cannot be put together") from error
    counts = [answer.usage for answer in answers if answer.usage is not None]
    whole: dict[str, object] = {**body, "data": vectors}
    whole.pop("usage", None)
    if len(counts) == len(answers):
        prompt, total = sum(each.prompt_tokens for each in counts), sum(each.total_tokens for each in counts)
        whole["usage"] = {"prompt_tokens": prompt, "total_tokens": total}
    used = [reply.usage for reply in replies if reply.usage is not None]
    # Where one has not counted, the sum of the others would make it free.
    usage = added_up(used) if len(used) == len(replies) else None
    return Reply(msgspec.json.encode(whole), usage, replies[0].model)


def added_up(usages: Sequence[Usage]) -> Usage:
    """Give what several requests have used together."""
    names = [name for name in Usage.__struct_fields__ if name != "billed"]
    billed = None
    if any(usage.billed for usage in usages):
        pairs = [usage.billed or (usage.input_tokens, usage.output_tokens) for usage in usages]
        billed = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    return Usage(**{name: sum(getattr(usage, name) for usage in usages) for name in names}, billed=billed)


def _numbered(
    vectors: Sequence[dict[str, msgspec.Raw]], first: int, count: int
) -> list[dict[str, msgspec.Raw]]:
    """Give the vectors of a part in order, under the numbers that their texts have in the whole."""
    by_index = {_index.decode(vector["index"]): vector for vector in vectors}
    if len(vectors) != count or by_index.keys() != set(range(count)):
        raise MalformedResponse(f"the provider did not give one vector for each of {count} texts")
    return [{**by_index[n], "index": msgspec.Raw(b"%d" % (first + n))} for n in range(count)]
