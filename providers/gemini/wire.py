"""What Gemini answers, as far as it is acted on, and its tokens in OpenAI's terms.

Wire format: https://ai.google.dev/api/generate-content#generatecontentresponse.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from providers.types import JsonObject, Usage

Count = Annotated[int, msgspec.Meta(ge=0)]


class _Struct(msgspec.Struct, frozen=True, rename="camel"):
    pass


class FunctionCall(_Struct, frozen=True):
    """A call of a tool."""

    id: str = ""
    name: str = ""
    args: JsonObject | None = None
    will_continue: bool = False


class Blob(_Struct, frozen=True):
    """A file within the answer."""

    mime_type: str = ""
    data: str = ""


class Part(_Struct, frozen=True):
    """One part of a content."""

    text: str | None = None
    thought: bool = False
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    inline_data: Blob | None = None
    executable_code: JsonObject | None = None
    code_execution_result: JsonObject | None = None

    def of_code(self) -> JsonObject | None:
        """Give the part as it came, where it is what the provider's own tool for code has written or found."""
        found = {"executableCode": self.executable_code, "codeExecutionResult": self.code_execution_result}
        part: JsonObject = {name: value for name, value in found.items() if value is not None}
        if part and self.thought_signature is not None:
            part["thoughtSignature"] = self.thought_signature
        return part or None


class Content(_Struct, frozen=True):
    """What was said; without parts where thinking has used up all tokens."""

    parts: list[Part] | None = None


class TokenLogprob(_Struct, frozen=True):
    """A token that was chosen, or could have been."""

    token: str = ""
    log_probability: float = 0.0


class Alternatives(_Struct, frozen=True):
    """The likeliest tokens at one place."""

    candidates: list[TokenLogprob] = []


class LogprobsResult(_Struct, frozen=True):
    """The tokens of a text, and what could have been in their places."""

    chosen_candidates: list[TokenLogprob] = []
    top_candidates: list[Alternatives] = []


class Candidate(_Struct, frozen=True):
    """One answer, or a piece of one."""

    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: Count = 0
    grounding_metadata: JsonObject | None = None
    logprobs_result: LogprobsResult | None = None


class PromptFeedback(_Struct, frozen=True):
    """Why there is no answer."""

    block_reason: str | None = None
    block_reason_message: str | None = None


class ModalityCount(_Struct, frozen=True):
    """The tokens of one kind."""

    modality: str = ""
    token_count: Count = 0


class WireUsage(_Struct, frozen=True):
    """Tokens as Gemini counts them: absent where zero or not known yet, thoughts apart from the answer."""

    prompt_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    prompt_tokens_details: list[ModalityCount] | None = None
    candidates_tokens_details: list[ModalityCount] | None = None

    def updated(self, later: WireUsage) -> WireUsage:
        """Give the later counts, and these where the later ones are silent."""
        counts = {
            name: value for name in self.__struct_fields__ if (value := getattr(later, name)) is not None
        }
        return msgspec.structs.replace(self, **counts)

    def tokens(self) -> Usage | None:
        """Give the counts in OpenAI's sense, parts within their sums; None where nothing is known yet."""
        if self.prompt_token_count is None and self.candidates_token_count is None:
            return None
        thoughts = self.thoughts_token_count or 0
        inputs = (self.prompt_token_count or 0) + (self.tool_use_prompt_token_count or 0)
        outputs = (self.candidates_token_count or 0) + thoughts
        return Usage(
            input_tokens=inputs,
            output_tokens=outputs,
            cached_tokens=min(self.cached_content_token_count or 0, inputs),
            reasoning_tokens=thoughts,
            audio_input_tokens=min(_of("AUDIO", self.prompt_tokens_details), inputs),
            audio_output_tokens=min(_of("AUDIO", self.candidates_tokens_details), outputs),
            image_output_tokens=min(_of("IMAGE", self.candidates_tokens_details), outputs),
        )


def _of(modality: str, counts: list[ModalityCount] | None) -> int:
    # A loop: this is once an event, and a generator takes several times as long.
    total = 0
    for count in counts or ():
        if count.modality == modality:
            total += count.token_count
    return total


class Answer(_Struct, frozen=True):
    """A whole answer, or one event of a streamed one."""

    candidates: list[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: WireUsage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: object = None
    """What is in it is read as leniently as an error body."""


ANSWER = msgspec.json.Decoder(Answer)


def usage_json(usage: Usage) -> JsonObject:
    """Render tokens as OpenAI's `usage`."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "audio_tokens": usage.audio_input_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_output_tokens,
        },
    }
