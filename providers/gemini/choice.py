"""One candidate of an answer → one choice of OpenAI's. A whole answer is a stream that came at once.

Whatever is a list in a delta has an `index` in each item, counted from 0 over the whole choice:
OpenAI's SDK joins lists by it, and fails without. What may be said once only, because the SDK
concatenates texts that come again, waits for the end: signature, sources, refusal.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from providers.echoed import OUTPUT_ITEMS
from providers.errors import MalformedResponse
from providers.gemini import finish, signatures, wire
from providers.gemini.grounding import citations
from providers.gemini.tools import may_cite, speaks_functions
from providers.types import Call, Json, JsonObject

DIALECT = "gemini"
"""Whose items they are that a chat has no place for."""


class Step(NamedTuple):
    """What one event adds to a choice."""

    delta: JsonObject
    logprobs: Json = None
    text_bytes: int = 0


class Choice:
    """Reads one candidate."""

    def __init__(self, index: int, call: Call) -> None:
        self.index = index
        self._spare_id = f"call_{call.id}_{index}"
        self._functions = speaks_functions(call.body)
        self._keeps_text = may_cite(call.body)
        self._spoke = False
        self._calls = 0
        self._images = 0
        self._kept = 0
        self._text: list[str] = []
        self._signature: str | None = None
        self._grounding: JsonObject | None = None
        self._reason: str | None = None
        self._words: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the end has come."""
        return self._reason is not None

    def take(self, candidate: wire.Candidate) -> Step:
        """Take a piece. Raises `MalformedResponse`, `ServerFault` where the model gave up."""
        delta: JsonObject = {}
        for part in (candidate.content and candidate.content.parts) or ():
            self._take(part, delta)
        self._grounding = candidate.grounding_metadata or self._grounding
        if reason := candidate.finish_reason:
            finish.check(reason, candidate.finish_message)
            self._reason, self._words = reason, candidate.finish_message
        return Step(delta, _logprobs(candidate.logprobs_result), _size(delta))

    def block(self, feedback: wire.PromptFeedback) -> None:
        """End without an answer, because the prompt was refused."""
        self._reason = "PROHIBITED_CONTENT"
        why = feedback.block_reason_message or f"The prompt was blocked ({feedback.block_reason})."
        self._words = why

    def end(self) -> tuple[JsonObject, str]:
        """Give the last delta and OpenAI's finish reason."""
        delta: JsonObject = {}
        if finish.is_blocked(self._reason) and not self._spoke and not self._calls:
            delta["refusal"] = self._words or f"The answer was blocked ({self._reason})."
        delta |= signatures.shown(self._signature)
        if self._grounding is not None:
            google = delta.setdefault("extra_content", {}).setdefault("google", {})
            google["grounding_metadata"] = self._grounding
            if found := citations(self._grounding, "".join(self._text)):
                delta["annotations"] = found
        called = "function_call" if self._functions else "tool_calls"
        return delta, finish.finish_reason(self._reason, called if self._calls else "")

    def _take(self, part: wire.Part, delta: JsonObject) -> None:
        if part.text:
            name = "reasoning_content" if part.thought else "content"
            delta[name] = delta.get(name, "") + part.text
            self._spoke = self._spoke or not part.thought
            if self._keeps_text and not part.thought:
                self._text.append(part.text)
        if part.function_call is not None:
            self._call(part.function_call, part.thought_signature, delta)
        elif part.inline_data is not None:
            # Pictures among the thoughts are drafts.
            if not part.thought:
                self._show(part.inline_data, part.thought_signature, delta)
        elif (code := part.of_code()) is not None:
            self._keep(code, delta)
        elif part.thought_signature is not None:
            self._signature = part.thought_signature

    def _call(self, call: wire.FunctionCall, signature: str | None, delta: JsonObject) -> None:
        if not call.name or call.will_continue:
            # Pieces come only where the request asks for them (`streamFunctionCallArguments`).
            raise MalformedResponse("A tool call names no function, or comes in pieces.")
        index, self._calls = self._calls, self._calls + 1
        function = {"name": call.name, "arguments": msgspec.json.encode(call.args or {}).decode()}
        if self._functions:
            # There is room for one call only.
            if index == 0:
                delta["function_call"] = function
            return
        made = {"index": index, "id": call.id or f"{self._spare_id}_{index}", "type": "function"}
        delta.setdefault("tool_calls", []).append(
            {**made, "function": function, **signatures.shown(signature)}
        )

    def _keep(self, item: JsonObject, delta: JsonObject) -> None:
        place = {"after_text": self._spoke, "after_calls": self._calls, "dialect": DIALECT}
        delta.setdefault(OUTPUT_ITEMS, []).append({"index": self._kept, **place, "item": item})
        self._kept += 1

    def _show(self, blob: wire.Blob, signature: str | None, delta: JsonObject) -> None:
        url = f"data:{blob.mime_type};base64,{blob.data}"
        image = {"index": self._images, "type": "image_url", "image_url": {"url": url}}
        self._images += 1
        delta.setdefault("images", []).append({**image, **signatures.shown(signature)})


def _logprobs(result: wire.LogprobsResult | None) -> Json:
    if result is None:
        return None
    content = []
    for place, chosen in enumerate(result.chosen_candidates):
        tops = result.top_candidates[place].candidates if place < len(result.top_candidates) else []
        content.append({**_token(chosen), "top_logprobs": [_token(each) for each in tops]})
    return {"content": content, "refusal": None}


def _token(token: wire.TokenLogprob) -> JsonObject:
    return {"token": token.token, "logprob": token.log_probability, "bytes": list(token.token.encode())}


def _size(delta: JsonObject) -> int:
    texts = [delta.get("content", ""), delta.get("reasoning_content", "")]
    texts += [call["function"]["arguments"] for call in delta.get("tool_calls", ())]
    texts += [delta["function_call"]["arguments"]] if "function_call" in delta else []
    return sum(len(text.encode()) for text in texts)
