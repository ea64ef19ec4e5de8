"""The ways an answer can come to a client, each with recordings that say the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.harness import actions as act
from tests.harness.rig import Rig
from tests.harness.upstream import Action, Slot

ANSWER = "The capital of France is Paris."
"""What all the recorded text answers say."""


@dataclass(frozen=True)
class Lane:
    """One dialect and way of reading it, with its recordings."""

    take: Callable[[Rig], Slot]
    chat: str
    stream: str
    tools: str
    tool_stream: str

    def chat_reply(self) -> Action:
        return act.golden_reply(self.chat)

    def text_stream(self, ending: Action | None = None, first: int | None = None) -> Action:
        return act.golden_stream(self.stream, ending, first)


_OPENAI = (
    "openai/chat_response.json",
    "openai/chat_stream_text.sse",
    "openai/chat_response_tool_calls.json",
    "openai/chat_stream_tool_call.sse",
)
_ANTHROPIC = (
    "anthropic/messages_response.json",
    "anthropic/stream_text.sse",
    "anthropic/messages_response_tool_use.json",
    "reverse/anthropic_min_text_then_two_tools.sse",
)
LANES = {
    "exact": Lane(Rig.exact, *_OPENAI),
    "plain": Lane(Rig.plain, *_OPENAI),
    "anthropic": Lane(Rig.anthropic, *_ANTHROPIC),
}
EVERY_LANE = {**LANES, "httpx2": Lane(Rig.core, *_OPENAI)}
"""Those, and one over the other transport."""
