"""Says which requests the types of the vendors' own SDKs do not take. Runs where those are installed.

JSON lines come in, each `[kind, request]`; one line goes out for each request that does not fit.
"""

import inspect
import json
import sys
import typing
from importlib import import_module

from pydantic import BaseModel, TypeAdapter, ValidationError


def of_signature(module, method):
    """Give the types of a request's fields, where the SDK has them as a method's arguments."""
    made = getattr(import_module(module).RawV2Client, method)
    hints = typing.get_type_hints(made)
    names = inspect.signature(made).parameters.keys() - {"self", "request_options"}
    return {name: hints[name] for name in names} | {"stream": bool}


def of_gemini():
    """Give the types of `generateContent`, whose SDK has none for the whole body."""
    types = import_module("google.genai.types")
    return {
        "contents": list[types.Content],
        "systemInstruction": types.Content,
        "tools": list[types.Tool],
        "toolConfig": types.ToolConfig,
        "safetySettings": list[types.SafetySetting],
        "generationConfig": types.GenerationConfig,
        "serviceTier": types.ServiceTier,
        "cachedContent": str,
    }


def of_gemini_embedding():
    types = import_module("google.genai.types")
    config = types.EmbedContentConfig.model_fields
    settings = {field.alias or name: field.annotation for name, field in config.items()}
    return {**settings, "model": str, "content": types.Content}


def of_mistral(name):
    """Give the types of the fields of a model."""
    found = getattr(import_module("mistralai.client.models"), name)
    fields = typing.get_type_hints(found, include_extras=True)
    return {found.model_fields[name].alias or name: fields[name] for name in found.model_fields}


KINDS = {
    "cohere chat": lambda: of_signature("cohere.v2.raw_client", "chat"),
    "cohere embeddings": lambda: of_signature("cohere.v2.raw_client", "embed"),
    "cohere rerank": lambda: of_signature("cohere.v2.raw_client", "rerank"),
    "gemini chat": of_gemini,
    "gemini embeddings": of_gemini_embedding,
    "mistral chat": lambda: of_mistral("ChatCompletionRequest"),
    "mistral speech": lambda: of_mistral("SpeechRequest"),
    "mistral embeddings": lambda: of_mistral("EmbeddingRequest"),
}


def unknown(read, given, at):
    """Find the names that the types do not have: most take others in silence."""
    if isinstance(read, BaseModel) and isinstance(given, dict):
        fields = type(read).model_fields
        names = {each: name for name, field in fields.items() for each in (name, field.alias) if each}
        for name, value in given.items():
            if name not in names:
                yield f"{at}.{name}"
            else:
                yield from unknown(getattr(read, names[name]), value, f"{at}.{name}")
    elif isinstance(read, list) and isinstance(given, list):
        for index, (one, other) in enumerate(zip(read, given, strict=True)):
            yield from unknown(one, other, f"{at}[{index}]")


def wrong(fields, body):
    for name, value in body.items():
        if name not in fields:
            yield name
            continue
        try:
            # From JSON, so that bytes are in base64 as they are on the wire.
            read = TypeAdapter(fields[name]).validate_json(json.dumps(value))
        except ValidationError as error:
            yield f"{name}: {error}"
        else:
            yield from unknown(read, value, name)


known = dict.fromkeys(KINDS)
for line in sys.stdin:
    kind, body = json.loads(line)
    known[kind] = known[kind] or KINDS[kind]()
    found = list(wrong(known[kind], body))
    if found:
        print(json.dumps([kind, found, body]))
