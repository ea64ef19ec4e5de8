"""The part of an answer that speaks, `message` or `delta`, made clean."""

from __future__ import annotations

from providers.errors import MalformedResponse
from providers.openai.wire import encode_answer, objects
from providers.types import Json, JsonObject


def clean(message: JsonObject) -> JsonObject:
    """Give a copy with plain text content and one name for reasoning; tool calls are left as they are.

    `reasoning` (OpenRouter, Groq, Together, Ollama, newer vLLM) becomes `reasoning_content` (DeepSeek,
    xAI, Fireworks, llama.cpp). Raises `MalformedResponse` for content that is neither text nor parts.
    """
    clean = dict(message)
    for name in ("tool_calls", "function_call"):
        # Null and empty lists mean no calls; Blackbox prints Python's None as a text.
        if name in clean and clean[name] in (None, [], "None"):
            del clean[name]
    _name_reasoning(clean)
    if "content" in clean:
        _flatten(clean)
    return clean


def _name_reasoning(message: JsonObject) -> None:
    reasoning = message.get("reasoning", "")
    if reasoning is None or (reasoning and isinstance(reasoning, str)):
        del message["reasoning"]
        if reasoning and not message.get("reasoning_content"):
            message["reasoning_content"] = reasoning


def _flatten(message: JsonObject) -> None:
    """Join Mistral's list of parts: text into `content`, thinking into `reasoning_content`."""
    content = message["content"]
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise MalformedResponse("the content is neither text nor a list of parts")
    parts = objects(content, "the content")
    message["content"] = "".join(_texts(parts, "text"))
    thinking = "".join(
        text
        for part in parts
        if part.get("type") == "thinking"
        for text in _texts(part.get("thinking"), "text")
    )
    if thinking:
        message["reasoning_content"] = thinking
    others = [part for part in parts if part.get("type") not in ("text", "thinking")]
    if others:
        # Neither text nor thinking (references): kept for the client that knows them.
        message["content_parts"] = others


def _texts(parts: Json, kind: str) -> list[str]:
    if not isinstance(parts, list):
        return [parts] if isinstance(parts, str) else []
    found = (part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == kind)
    return [text for text in found if isinstance(text, str)]


def arguments(value: Json) -> str | None:
    """Give a call's arguments as the text OpenAI has; some servers send the object itself."""
    if value is None or isinstance(value, str):
        return value
    return encode_answer(value, "the arguments of a tool call").decode()


def call_type(call: JsonObject) -> Json:
    """Give a tool call's type, which Mistral leaves out."""
    return call.get("type") or ("custom" if "custom" in call else "function")


def logprobs(value: Json) -> Json:
    """Give a chat's log probabilities in OpenAI's form, from the lists of Together's older models."""
    if not isinstance(value, dict) or "content" in value:
        return value
    tokens, numbers = value.get("tokens"), value.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(numbers, list):
        return value
    content = [
        {"token": token, "logprob": number, "bytes": list(token.encode()), "top_logprobs": []}
        for token, number in zip(tokens, numbers, strict=False)
        if isinstance(token, str) and isinstance(number, int | float)
    ]
    return {"content": content, "refusal": None}
