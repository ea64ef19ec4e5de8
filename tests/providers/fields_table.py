"""What becomes of a client's fields at each provider: the adapters are asked, with one request for each field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from providers.adapter import Splitting
from providers.catalog import CATALOG
from providers.errors import RequestRejected
from providers.registry import adapter_for
from providers.types import Call, HttpRequest, Operation, Target
from tests.contract import recorded
from tests.providers.fields_asked import FIELDS, FILES

Json = Any
Targets = list[tuple[str, Target]]
MODELS = {
    Operation.CHAT: {"bedrock": "amazon.nova-lite-v1:0", "vertex": "gemini-2.5-flash"},
    Operation.RERANK: {"bedrock": "cohere.rerank-v3-5:0"},
    Operation.IMAGE_GENERATION: {"bedrock": "amazon.nova-canvas-v1:0"},
    Operation.EMBEDDINGS: {"bedrock": "amazon.titan-embed-text-v2:0", "vertex": "gemini-embedding-001"},
}
"""Where the dialect, or what it takes, depends on the model, and the catalogue has no example that is plain."""
TAKEN, ELSEWHERE, LEFT_OUT, REFUSED = "✓", "→", "○", "✗"
TITLES = {
    Operation.CHAT: "a chat",
    Operation.EMBEDDINGS: "embeddings",
    Operation.RERANK: "rerank",
    Operation.IMAGE_GENERATION: "images",
    Operation.IMAGE_EDIT: "image edits",
    Operation.VIDEO: "videos",
    Operation.SPEECH: "speech",
    Operation.TRANSCRIPTION: "transcriptions",
    Operation.TRANSLATION: "translations",
    Operation.MODERATION: "moderations",
}
HEAD = f"""
## Fields

One request for each field was given to each provider's adapter: {TAKEN} travels as it is; {ELSEWHERE} travels in another
name, place or form; {LEFT_OUT} is left out, since no answer depends on it, the gateway does it itself or the catalogue's `drop`
names it; {REFUSED} is refused with a 400 that names it, the provider and the model, unless `drop` says otherwise. What a model of a provider does not
take, that provider refuses itself.
"""
_FIELD = re.compile(
    r'name="([^"]+)"(?:; filename="([^"]*)")?\r\n(?:content-type:[^\r]*\r\n)?\r\n(.*?)\r\n--', re.DOTALL
)


def section() -> str:
    """Give the part of `PROVIDERS.md` about fields."""
    return HEAD + "".join(_about(operation) for operation in FIELDS)


def _about(operation: Operation) -> str:
    targets = list(_targets(operation))
    lines = [f"| | {' | '.join(f'`{name}`' for name, _ in targets)} |", f"|---|{':-:|' * len(targets)}"]
    for field, (before, added) in FIELDS[operation].items():
        fates = (fate(operation, target, before, added) for _, target in targets)
        lines.append(f"| {field} | {' | '.join(fates)} |")
    said = list(_spellings(operation, targets))
    spelled = ["", "Where a field travels under another name:", "", *said] if said else []
    return "\n".join([f"\n### Of {TITLES[operation]}\n", *lines, *spelled]) + "\n"


def _targets(operation: Operation) -> Iterator[tuple[str, Target]]:
    for row in CATALOG.values():
        if operation not in row.operations or row.transport == "embedded":
            continue
        example = row.example.removeprefix(f"{row.name}/") if operation is Operation.CHAT else ""
        model = MODELS.get(operation, {}).get(row.name) or example or "some-model"
        yield row.name, replace(recorded.target(row.name), model=model)
        if operation is Operation.CHAT:
            for dialect in sorted(set(row.dialects.values()) - {row.dialect}):
                yield (
                    f"{row.name}, {dialect}",
                    replace(recorded.target(row.name), dialect=dialect, model=model),
                )
    if operation is Operation.CHAT:
        yield "vertex, Claude", replace(recorded.target("vertex"), model="claude-sonnet-4-5")
        yield "ollama, ollama", replace(recorded.target("ollama"), dialect="ollama", model="qwen3")
    if operation is Operation.EMBEDDINGS:
        yield "bedrock, Cohere", replace(recorded.target("bedrock"), model="cohere.embed-v4:0")


def fate(operation: Operation, target: Target, before: Json, added: Json) -> str:
    """Say what becomes of what is added to a request."""
    plain = _sent(operation, target, before)
    sent = _sent(operation, target, {**before, **added})
    if plain is None or sent is None:
        return REFUSED
    body = _read(sent)
    if (_read(plain), plain.headers, plain.url) == (body, sent.headers, sent.url):
        return LEFT_OUT
    wanted = {file.name: file.filename for file in added.get(FILES, ())}
    wanted |= {name: value for name, value in added.items() if name != FILES}
    return TAKEN if all(_has(body, name, value) for name, value in wanted.items()) else ELSEWHERE


def _has(body: Json, name: str, value: Json) -> bool:
    found = body.get(name)
    # A form has texts alone.
    return found in (value, json.dumps(value)) or (isinstance(found, list) and value in found)


def _sent(operation: Operation, target: Target, fields: Json) -> HttpRequest | None:
    adapter = adapter_for(target.dialect, operation)
    assert adapter is not None
    body = {"model": "m", **fields}
    if operation is Operation.CHAT:
        body.setdefault("messages", [{"role": "user", "content": "Hi"}])
    files = body.pop(FILES, ())
    call = Call(operation, "m", body, "abc", files=files)
    try:
        if isinstance(adapter, Splitting):
            call = adapter.split(call, target)[-1]
        return adapter.build_request(call, target)
    except RequestRejected:
        return None


def _read(request: HttpRequest) -> Json:
    """Give the fields that a request has, in JSON or in a form; of several requests in one, those of the first."""
    pieces = (request.body,) if isinstance(request.body, bytes) else request.body
    text = b"".join(piece if isinstance(piece, bytes) else b"AAAA" for piece in pieces).decode()
    if not text.startswith("--"):
        body = json.loads(text)
        return body["requests"][0] if len(body.get("requests", ())) == 1 else body
    fields: dict[str, list[str]] = {}
    for name, filename, value in _FIELD.findall(text):
        fields.setdefault(name, []).append(filename or value)
    return {
        name.removesuffix("[]"): found if len(found) > 1 or name.endswith("[]") else found[0]
        for name, found in fields.items()
    }


def _spellings(operation: Operation, targets: Targets) -> Iterator[str]:
    """Tell for each provider what becomes of the fields whose names it does not have."""
    for name, target in targets:
        said = [
            f"{field} → {', '.join(f'`{place}`' for place in places)}"
            for field, (before, added) in FIELDS[operation].items()
            if "messages" not in added
            and fate(operation, target, before, added) == ELSEWHERE
            and (places := _places(operation, target, before, added))
        ]
        if said:
            yield f"- `{name}`: {'; '.join(said)}"


def _places(operation: Operation, target: Target, before: Json, added: Json) -> list[str]:
    plain = _sent(operation, target, before)
    sent = _sent(operation, target, {**before, **added})
    assert plain is not None
    assert sent is not None
    mine = dict(_leaves(_read(plain)))
    theirs = _leaves(_read(sent))
    changed = [place for place, value in theirs if mine.get(place) != value]
    headers = [name for name, value in sent.headers if (name, value) not in plain.headers]
    return [
        place
        for place in dict.fromkeys((*changed, *headers))
        if place not in (*added, "messages", "contents")
    ]


def _leaves(value: Json, place: str = "", depth: int = 2) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict) and value and depth:
        for name, inner in value.items():
            yield from _leaves(inner, f"{place}.{name}" if place else name, depth - 1)
    else:
        yield place, value
