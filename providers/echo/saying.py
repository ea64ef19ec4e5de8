"""An answer in words: what each choice says, whole or as the events of a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator

from providers.echo.directives import Tool
from providers.echo.request import Chat, Completions, Refusal, text_of, texts_of
from providers.echo.samples import sample_of
from providers.types import Json, JsonObject

_WORD = re.compile(r"\S+\s*|\s+")
BYTES_PER_TOKEN = 4
MOST_ANSWERS = 2_048
"""Choices, or vectors. OpenAI takes as many inputs for embeddings."""
LONGEST_ANSWER = 16 << 20
"""Characters of all choices together. A few prompts' worth: `n` multiplies what was sent."""
MOST_EVENTS = 10_000
"""Events of one stream, about. A long text comes in pieces larger than words."""


class Saying:
    """What is said to one request. Raises `Refusal` where that would be too much."""

    def __init__(self, asked: Chat | Completions, prompt: Json) -> None:
        self._asked = asked
        self._prompt = prompt
        self._directives = asked.directives
        self._chat = isinstance(asked, Chat)
        self._tool = _tool_to_call(asked) if isinstance(asked, Chat) else None
        self._arguments = text_of(self._tool.arguments) if self._tool else ""
        texts = [_asked_form(asked)] if isinstance(asked, Chat) else texts_of(asked.prompt)
        copies = asked.n or 1
        self._check_size(texts, copies)
        limit = asked.max_completion_tokens or asked.max_tokens
        self._choices = [_cut(text, limit) for text in texts for _ in range(copies)]

    def _check_size(self, texts: list[str], copies: int) -> None:
        param = "n" if copies > 1 else "messages" if self._chat else "prompt"
        if copies * len(texts) > MOST_ANSWERS:
            raise Refusal(param, f"`{param}` asks for more than {MOST_ANSWERS:,} choices")
        beside = len(self._directives.reasoning) + len(self._arguments)
        if copies * sum(len(text) + beside for text in texts) > LONGEST_ANSWER:
            raise Refusal(param, f"`{param}` asks for an answer of more than {LONGEST_ANSWER:,} characters")

    def whole(self) -> JsonObject:
        """Give the one body."""
        choices = [self._choice(index, text, finish) for index, (text, finish) in enumerate(self._choices)]
        return self._envelope(choices, chunk=False) | self._usage()

    def events(self) -> Iterator[JsonObject]:
        """Give the chunks of a stream."""
        if self._chat:
            yield from self._deltas({"role": "assistant", "content": None if self._tool else ""})
            if self._directives.reasoning:
                yield from self._deltas({"reasoning_content": self._directives.reasoning})
        for index, (text, finish) in enumerate(self._choices):
            for delta in self._tool_deltas(self._tool) if self._tool else self._words(text):
                yield self._event(index, delta, None)
            yield self._event(index, {}, "tool_calls" if self._tool else finish)
        options = self._asked.stream_options
        if options and options.include_usage and self._directives.usage:
            yield self._envelope([], chunk=True) | self._usage()

    def _words(self, text: str) -> Iterator[JsonObject]:
        most = MOST_EVENTS // len(self._choices)
        size = -(-len(text) // most)
        pieces = _WORD.findall(text) if len(text) <= most else _sliced(text, size)
        return ({"content": piece} for piece in pieces)

    def _tool_deltas(self, tool: Tool) -> Iterator[JsonObject]:
        opening = {"name": tool.name, "arguments": ""}
        yield {"tool_calls": [{"index": 0, "id": "call_echo_0", "type": "function", "function": opening}]}
        middle = len(self._arguments) // 2
        for part in (self._arguments[:middle], self._arguments[middle:]):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": part}}]}

    def _deltas(self, delta: JsonObject) -> Iterator[JsonObject]:
        return (self._event(index, delta, None) for index in range(len(self._choices)))

    def _event(self, index: int, delta: JsonObject, finish: str | None) -> JsonObject:
        said: JsonObject = {"delta": delta} if self._chat else {"text": delta.get("content", "")}
        choice = {"index": index, **said, "logprobs": None, "finish_reason": finish}
        return self._envelope([choice], chunk=True)

    def _choice(self, index: int, text: str, finish: str) -> JsonObject:
        if not self._chat:
            return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}
        message: JsonObject = {"role": "assistant", "content": text, "refusal": None}
        if self._directives.reasoning:
            message["reasoning_content"] = self._directives.reasoning
        if self._tool:
            function = {"name": self._tool.name, "arguments": self._arguments}
            message["tool_calls"] = [{"id": "call_echo_0", "type": "function", "function": function}]
            message["content"] = None
            finish = "tool_calls"
        return {"index": index, "message": message, "logprobs": None, "finish_reason": finish}

    def _envelope(self, choices: list[JsonObject], *, chunk: bool) -> JsonObject:
        kind = ("chat.completion.chunk" if chunk else "chat.completion") if self._chat else "text_completion"
        return {"object": kind, "model": self._asked.model, "choices": choices}

    def _usage(self) -> JsonObject:
        if not self._directives.usage:
            return {}
        prompt = tokens_of(text_of(self._prompt))
        said = sum(tokens_of(text) for text, _ in self._choices) + tokens_of(self._directives.reasoning)
        return {"usage": {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}}


def tokens_of(text: str) -> int:
    """Count tokens the embedded provider's way: so many bytes each."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def _sliced(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _asked_form(asked: Chat) -> str:
    """Say it as `response_format` asks."""
    form, text = asked.response_format, asked.heard()
    if form and form.type == "json_schema":
        schema = form.json_schema.schema if form.json_schema else None
        return text_of(sample_of(schema, text, "response_format"))
    return text_of({"echo": text}) if form and form.type == "json_object" else text


def _cut(text: str, limit: int | None) -> tuple[str, str]:
    """Keep to the limit of tokens. Gives the text and the finish reason."""
    if limit is not None and tokens_of(text) > limit:
        return text.encode()[: limit * BYTES_PER_TOKEN].decode(errors="ignore"), "length"
    return text, "stop"


def _tool_to_call(asked: Chat) -> Tool | None:
    if told := asked.directives.tool:
        return told if isinstance(told, Tool) else Tool(told)
    choice = asked.tool_choice
    functions = [tool.function for tool in asked.tools or () if tool.function]
    if choice != "required":
        wanted = choice.function.name if choice and not isinstance(choice, str) and choice.function else None
        functions = [function for function in functions if function.name == wanted]
    if not functions:
        return None
    made = sample_of(functions[0].parameters, asked.heard(), "tools")
    return Tool(functions[0].name, made if isinstance(made, dict) else {})
