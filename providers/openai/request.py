"""The client's request → the one that a provider expects: its own fields, spelled the provider's way."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable, Mapping

from providers import forms
from providers.asked import IMAGE_LOOKS, RANKED_PARTS, leave_out
from providers.errors import RequestRejected
from providers.openai import refusing, spelling
from providers.openai.wire import encode
from providers.types import (
    Call,
    Content,
    Delivery,
    HttpRequest,
    InBase64,
    Json,
    JsonObject,
    Operation,
    Quirks,
    Target,
)

_STREAMED = frozenset({Operation.CHAT, Operation.COMPLETIONS})
Check = Callable[[JsonObject, Target], None]
Body = bytes | tuple[bytes | Content | InBase64, ...]
_ACCEPTED = {Delivery.WHOLE: "application/json", Delivery.BYTES: "*/*"}


def build(call: Call, target: Target, path: str) -> HttpRequest:
    """Render the call. Raises `RequestRejected` for a body that JSON cannot hold."""
    return post(call, target, path, written(fields(call, target)))


def form(call: Call, target: Target, path: str) -> HttpRequest:
    """Render the call as a multipart form, with its files. Raises `RequestRejected`."""
    try:
        # An id of ours is nothing that a file could foresee.
        media, body = forms.render(fields(call, target), call.files, f"switchgear-{call.id}")
    except (RecursionError, ValueError) as error:
        raise RequestRejected("A field of the form is nested too deep to pass on.") from error
    return post(call, target, path, body, media)


def post(call: Call, target: Target, path: str, body: Body, media: str = "application/json") -> HttpRequest:
    """Give the request for a body that is written."""
    address = target.base_url + (target.paths.get(call.operation) or path)
    return HttpRequest("POST", address, headers(call, target, media), body)


def written(body: JsonObject) -> bytes:
    """Write a request's body. Raises `RequestRejected` for one that JSON cannot hold."""
    try:
        return encode(body)
    except (RecursionError, ValueError) as error:
        raise RequestRejected(
            "The request is nested too deep or holds numbers too large to pass on."
        ) from error


def headers(call: Call, target: Target, media: str = "") -> tuple[tuple[str, str], ...]:
    """Give the header fields, the credential among them; `media` is the content type of a body, where there is one."""
    given = {"content-type": media} if media else {}
    given |= {
        "accept": _ACCEPTED.get(call.delivery, "text/event-stream"),
        # What is compressed cannot be passed on byte for byte, and compressing stalls streams.
        "accept-encoding": "identity",
    }
    if target.credential:
        given["authorization"] = f"Bearer {target.credential.reveal()}"
    if target.quirks.cache_key_header:
        given |= spelling.cache_key(call.body, target.quirks.cache_key_header)
    given.update((name.lower(), value) for name, value in target.headers.items())
    return tuple(given.items())


def fields(call: Call, target: Target) -> JsonObject:
    """Give the client's fields with the target's names, drops and quirks."""
    body = {name: value for name, value in call.body.items() if name not in target.drop}
    for applies, check in _CHECKS.get(call.operation, ()):
        if applies(target.quirks):
            check(body, target)
    for ours, theirs in target.rename.items():
        # Where the client gave both spellings, neither is ours to discard.
        if ours in body and theirs not in body:
            body[theirs] = body.pop(ours)
    body["model"] = target.model
    if call.stream and call.operation in _STREAMED and "stream_options" not in target.drop:
        _ask_for_usage(body, target.quirks)
    if call.operation is Operation.CHAT:
        _spell(body, target.quirks)
    if target.quirks.stop_list and isinstance(body.get("stop"), str):
        body["stop"] = [body["stop"]]
    return body


def _spell(body: JsonObject, quirks: Quirks) -> None:
    for applies, change in _CHANGES:
        if applies(quirks):
            change(body)
    if quirks.foreign_fields:
        spelling.without_foreign(body, quirks.foreign_fields)
    spelling.respell(body, quirks.respell)


def _ask_for_usage(body: JsonObject, quirks: Quirks) -> None:
    if not quirks.stream_usage:
        body.pop("stream_options", None)
        return
    options = body.get("stream_options")
    # Options of another type are the client's mistake, and the provider says so best.
    if options is None or isinstance(options, dict):
        body["stream_options"] = {**(options or {}), "include_usage": True}


def _developer_as_system(body: JsonObject) -> None:
    spelling.each_message(body, lambda m: {**m, "role": "system"} if m.get("role") == "developer" else m)


def _without_names(body: JsonObject) -> None:
    spelling.each_message(body, lambda m: {k: v for k, v in m.items() if k != "name"} if "name" in m else m)


def _count_logprobs(body: JsonObject) -> None:
    """Say OpenAI's `logprobs: true, top_logprobs: k` as `logprobs: k` (docs.together.ai, chat completions)."""
    wanted = body.get("logprobs")
    if not isinstance(wanted, bool):
        return
    alternatives = body.pop("top_logprobs", None)
    if wanted:
        body["logprobs"] = alternatives or 1
    else:
        del body["logprobs"]


def _shorten_call_ids(body: JsonObject) -> None:
    spelling.each_message(body, _with_short_ids)


def _with_short_ids(message: JsonObject) -> JsonObject:
    changed = dict(message)
    if isinstance(answered := message.get("tool_call_id"), str):
        changed["tool_call_id"] = short_call_id(answered)
    if isinstance(calls := message.get("tool_calls"), list):
        changed["tool_calls"] = [_with_short_id(call) for call in calls]
    return changed


def _with_short_id(call: Json) -> Json:
    if not isinstance(call, dict) or not isinstance(call.get("id"), str):
        return call
    return {**call, "id": short_call_id(call["id"])}


_ALPHABET = string.digits + string.ascii_letters
_SHORT = 9
"""Letters and digits of a Mistral call id: "must be a-z, A-Z, 0-9, with a length of 9" (its error 3280)."""


def short_call_id(id: str) -> str:
    """Give the id itself if it is nine letters or digits, else always the same nine for the same id."""
    if len(id) == _SHORT and id.isascii() and id.isalnum():
        return id
    number = int.from_bytes(hashlib.sha256(id.encode(errors="surrogatepass")).digest())
    digits = []
    for _ in range(_SHORT):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


_Checks = tuple[tuple[Callable[[Quirks], bool], Check], ...]


def _lacked(of: frozenset[str] | None = None) -> _Checks:
    """Give the check of what a provider lacks; `of`: the fields that are looked at, where it is not all."""

    def check(body: JsonObject, target: Target) -> None:
        lacks = target.quirks.lacks
        leave_out(body, lacks if of is None else lacks & of, target)

    return ((lambda quirks: bool(quirks.lacks), check),)


_CHECKS: Mapping[Operation, _Checks] = {
    Operation.COMPLETIONS: _lacked(),
    # Chats and images have fields of one name that a provider may take of the one alone, such as `n`.
    Operation.RERANK: _lacked(RANKED_PARTS),
    Operation.IMAGE_GENERATION: _lacked(IMAGE_LOOKS),
    Operation.IMAGE_EDIT: _lacked(IMAGE_LOOKS),
    Operation.CHAT: (
        *_lacked(),
        (lambda quirks: bool(quirks.foreign_parts), refusing.parts),
        (lambda quirks: not quirks.fetches, refusing.addresses),
        (lambda quirks: not quirks.schemas, refusing.schema),
    ),
    Operation.EMBEDDINGS: ((lambda quirks: not quirks.vectors_cut, refusing.dimensions),),
}
_CHANGES: tuple[tuple[Callable[[Quirks], bool], Callable[[JsonObject], None]], ...] = (
    (lambda quirks: not quirks.developer_role, _developer_as_system),
    (lambda quirks: not quirks.message_names, _without_names),
    (lambda quirks: quirks.logprobs_count, _count_logprobs),
    (lambda quirks: quirks.short_call_ids, _shorten_call_ids),
    (lambda quirks: not quirks.text_parts, spelling.join_texts),
    (lambda quirks: quirks.document_parts, spelling.name_documents),
    (lambda quirks: quirks.thinking_parts, spelling.name_thinking),
    (lambda quirks: quirks.thinking_switch, spelling.switch_thinking),
)
