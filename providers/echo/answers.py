"""What the embedded provider answers: request body → status, headers and the pieces of a body. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from providers.echo.directives import DirectiveError, Directives, Tool, read_directives
from providers.echo.samples import sample_of, vector
from providers.types import Json, JsonObject

_WORD = re.compile(r"\S+\s*|\s+")
BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send, and when."""

    status: int
    headers: Mapping[str, str]
    pieces: tuple[bytes, ...]
    directives: Directives = field(default_factory=Directives)
    breaks: bool = False
    """Whether the connection breaks after the last piece."""


def answer(path: str, body: JsonObject) -> Answer:
    """Answer a request to `/chat/completions`, `/completions` or `/embeddings`."""
    try:
        directives = read_directives(body)
    except DirectiveError as error:
        return _failure(400, str(error), Directives())
    if directives.status != 200:
        return _failure(directives.status, f"echo was told to fail with {directives.status}", directives)
    if path.endswith("/embeddings"):
        return _whole(_embeddings(body), directives)
    said = _Saying(body, directives, chat=path.endswith("/chat/completions"))
    if body.get("stream") is True:
        return _streamed(said, directives)
    return _whole(said.whole(), directives)


class _Saying:
    """One answer in words, whole or as events."""

    def __init__(self, body: JsonObject, directives: Directives, *, chat: bool) -> None:
        self._body = body
        self._directives = directives
        self._chat = chat
        self._tool = _tool_to_call(body, directives) if chat else None
        self._choices = [_cut(text, body) for text in _texts(body, chat=chat)]

    def whole(self) -> JsonObject:
        choices = [self._choice(index, text, finish) for index, (text, finish) in enumerate(self._choices)]
        return self._envelope(choices, chunk=False) | self._usage()

    def events(self) -> Iterator[JsonObject]:
        if self._chat:
            yield from self._deltas({"role": "assistant", "content": None if self._tool else ""})
            if self._directives.reasoning:
                yield from self._deltas({"reasoning_content": self._directives.reasoning})
        for index, (text, finish) in enumerate(self._choices):
            yield from self._words(index, text)
            yield self._event(index, {}, "tool_calls" if self._tool else finish)
        options = self._body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage") and self._directives.usage:
            yield self._envelope([], chunk=True) | self._usage()

    def _words(self, index: int, text: str) -> Iterator[JsonObject]:
        if self._tool:
            first, *rest = _tool_deltas(self._tool)
            for delta in (first, *rest):
                yield self._event(index, {"tool_calls": [delta]}, None)
            return
        for word in _WORD.findall(text):
            yield self._event(index, {"content": word}, None)

    def _deltas(self, delta: JsonObject) -> Iterator[JsonObject]:
        for index in range(len(self._choices)):
            yield self._event(index, delta, None)

    def _event(self, index: int, delta: JsonObject, finish: str | None) -> JsonObject:
        if self._chat:
            choice: JsonObject = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        else:
            choice = {
                "index": index,
                "text": delta.get("content", ""),
                "logprobs": None,
                "finish_reason": finish,
            }
        return self._envelope([choice], chunk=True)

    def _choice(self, index: int, text: str, finish: str) -> JsonObject:
        if not self._chat:
            return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}
        message: JsonObject = {"role": "assistant", "content": text, "refusal": None}
        if self._directives.reasoning:
            message["reasoning_content"] = self._directives.reasoning
        if self._tool:
            function = {"name": self._tool.name, "arguments": _json_text(self._tool.arguments)}
            message["tool_calls"] = [{"id": "call_echo_0", "type": "function", "function": function}]
            message["content"] = None
            finish = "tool_calls"
        return {"index": index, "message": message, "logprobs": None, "finish_reason": finish}

    def _envelope(self, choices: list[JsonObject], *, chunk: bool) -> JsonObject:
        kind = ("chat.completion.chunk" if chunk else "chat.completion") if self._chat else "text_completion"
        return {"object": kind, "model": self._body.get("model"), "choices": choices}

    def _usage(self) -> JsonObject:
        if not self._directives.usage:
            return {}
        prompt = _tokens(_json_text(self._body.get("messages") or self._body.get("prompt")))
        said = sum(_tokens(text) for text, _ in self._choices) + _tokens(self._directives.reasoning)
        return {"usage": {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}}


def _texts(body: JsonObject, *, chat: bool) -> list[str]:
    """Give what each choice says: the last user message, or each prompt."""
    copies = body.get("n") or 1
    if not chat:
        prompt = body.get("prompt")
        prompts = (
            prompt if isinstance(prompt, list) and all(isinstance(part, str) for part in prompt) else [prompt]
        )
        return [
            text if isinstance(text, str) else _json_text(text) for text in prompts for _ in range(copies)
        ]
    return [_asked_form(body, _last_user_text(body))] * copies


def _last_user_text(body: JsonObject) -> str:
    for message in reversed(body.get("messages") or []):
        if not isinstance(message, dict) or message.get("role") not in ("user", "tool"):
            continue
        content = message.get("content")
        if isinstance(content, str):
            return content
        parts = content if isinstance(content, list) else []
        return "".join(part.get("text", f"[{part.get('type')}]") for part in parts if isinstance(part, dict))
    return ""


def _asked_form(body: JsonObject, text: str) -> str:
    """Say it as `response_format` asks."""
    form = body.get("response_format")
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "json_schema":
        schema = form.get("json_schema", {}).get("schema", {}) if isinstance(form, dict) else {}
        return _json_text(sample_of(schema, text))
    return _json_text({"echo": text}) if kind == "json_object" else text


def _cut(text: str, body: JsonObject) -> tuple[str, str]:
    """Keep to the limit of tokens. Gives the text and the finish reason."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(limit, int) and _tokens(text) > limit:
        return text.encode()[: limit * BYTES_PER_TOKEN].decode(errors="ignore"), "length"
    return text, "stop"


def _tool_to_call(body: JsonObject, directives: Directives) -> Tool | None:
    if directives.tool:
        return directives.tool if isinstance(directives.tool, Tool) else Tool(directives.tool)
    choice = body.get("tool_choice")
    functions = [tool.get("function", {}) for tool in body.get("tools") or [] if isinstance(tool, dict)]
    if isinstance(choice, dict):
        wanted = choice.get("function", {}).get("name")
        functions = [function for function in functions if function.get("name") == wanted]
    elif choice != "required":
        return None
    if not functions:
        return None
    made = sample_of(functions[0].get("parameters") or {}, _last_user_text(body))
    return Tool(str(functions[0].get("name")), made if isinstance(made, dict) else {})


def _tool_deltas(tool: Tool) -> Iterator[JsonObject]:
    opening = {"name": tool.name, "arguments": ""}
    yield {"index": 0, "id": "call_echo_0", "type": "function", "function": opening}
    arguments = _json_text(tool.arguments)
    middle = len(arguments) // 2
    for part in (arguments[:middle], arguments[middle:]):
        yield {"index": 0, "function": {"arguments": part}}


def _embeddings(body: JsonObject) -> JsonObject:
    given = body.get("input")
    inputs = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    texts = [text if isinstance(text, str) else _json_text(text) for text in inputs]
    dimensions = body.get("dimensions") or 8
    base64 = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": vector(text, dimensions, base64=base64)}
        for index, text in enumerate(texts)
    ]
    tokens = sum(map(_tokens, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body.get("model"), "usage": usage}


def _streamed(said: _Saying, directives: Directives) -> Answer:
    pieces = [_frame(event) for event in said.events()]
    if directives.stop_after is not None:
        return Answer(200, _EVENTS, tuple(pieces[: directives.stop_after]), directives, breaks=True)
    if directives.error_after is not None:
        failed = {"error": {"message": "echo was told to fail here", "type": "server_error", "code": None}}
        return Answer(200, _EVENTS, (*pieces[: directives.error_after], _frame(failed)), directives)
    return Answer(200, _EVENTS, (*pieces, b"data: [DONE]\n\n"), directives)


def _whole(body: JsonObject, directives: Directives) -> Answer:
    return Answer(
        200, _JSON, (msgspec.json.encode(body),), directives, breaks=directives.stop_after is not None
    )


def _failure(status: int, message: str, directives: Directives) -> Answer:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    body = msgspec.json.encode({"error": {"message": message, "type": kind, "param": "echo", "code": None}})
    wait = {} if directives.retry_after is None else {"retry-after": f"{directives.retry_after:g}"}
    return Answer(status, _JSON | wait, (body,), directives)


_JSON = {"content-type": "application/json"}
_EVENTS = {"content-type": "text/event-stream"}


def _frame(event: JsonObject) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(event)


def _json_text(value: Json) -> str:
    return msgspec.json.encode(value).decode()


def _tokens(text: str) -> int:
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
