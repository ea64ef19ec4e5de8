"""Gemini's image models: `:generateContent`, with the image in the answer (https://ai.google.dev/gemini-api/docs/image-generation)."""

from __future__ import annotations

from msgspec.structs import replace

from providers import shape
from providers.asked import merge, unsupported
from providers.errors import ContentPolicyViolation, MalformedResponse
from providers.gemini import finish, pictures, wire
from providers.gemini.errors import reported, under_success
from providers.types import Call, JsonObject, Reply, Target, Usage

_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")


def ask(fields: JsonObject, target: Target) -> JsonObject:
    """Give the request body. Raises `UnsupportedParameter` and `RequestRejected`."""
    if pictures.count(fields) > 1:
        raise unsupported("n", target, "It makes one image for a call. ")
    for name in ("output_format", "output_compression"):
        if name in fields:
            raise unsupported(name, target)
    config: JsonObject = {"responseModalities": ["IMAGE"]}
    if shaped := pictures.ratio(fields, _RATIOS, target):
        config["imageConfig"] = shaped
    prompt = shape.text(fields.get("prompt"), "prompt")
    result: JsonObject = {
        "contents": [{"role": "user", "parts": [{"text": prompt}]}],
        "generationConfig": config,
    }
    merge(result, {name: value for name, value in fields.items() if name not in pictures.KNOWN})
    return result


def read(call: Call, _target: Target, body: bytes) -> Reply:
    """Read a 2xx body. Raises `ContentPolicyViolation`, `ServerFault` where the model gave up, `MalformedResponse`."""
    try:
        answer = wire.ANSWER.decode(body)
    except (ValueError, RecursionError):
        raise under_success(body) from None
    if answer.error is not None:
        raise reported(answer.error)
    made = [picture for candidate in answer.candidates or () for picture in _pictures(candidate)]
    if not made:
        _explain(answer)
    return pictures.reply(call, made, _used(answer.usage_metadata, len(made)), answer.model_version)


def _pictures(candidate: wire.Candidate) -> list[pictures.Picture]:
    parts = (candidate.content and candidate.content.parts) or ()
    return [
        pictures.Picture(part.inline_data.data, part.inline_data.mime_type)
        for part in parts
        # Pictures among the thoughts are drafts.
        if part.inline_data is not None and part.inline_data.data and not part.thought
    ]


def _explain(answer: wire.Answer) -> None:
    feedback = answer.prompt_feedback
    if feedback is not None and feedback.block_reason is not None:
        why = feedback.block_reason_message or f"The prompt was blocked ({feedback.block_reason})."
        raise ContentPolicyViolation(why)
    for each in answer.candidates or ():
        finish.check(each.finish_reason or "", each.finish_message)
        if finish.is_blocked(each.finish_reason):
            raise ContentPolicyViolation(
                each.finish_message or f"The answer was blocked ({each.finish_reason})."
            )
    raise MalformedResponse("The answer holds no image.")


def _used(counted: wire.WireUsage | None, images: int) -> Usage:
    """Add the pictures. What is not thought is pictures, also where no kind is told."""
    known = counted.tokens() if counted else None
    if counted is None or known is None:
        return Usage(images=images)
    drawn = known.output_tokens - known.reasoning_tokens
    if counted.candidates_tokens_details:
        drawn = min(drawn, _of_images(counted.candidates_tokens_details))
    shown = min(known.input_tokens, _of_images(counted.prompt_tokens_details or []))
    return replace(known, image_input_tokens=shown, image_output_tokens=drawn, images=images)


def _of_images(counts: list[wire.ModalityCount]) -> int:
    return sum(count.token_count for count in counts if count.modality == "IMAGE")
