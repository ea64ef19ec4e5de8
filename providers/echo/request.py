"""What the embedded provider takes: the fields that it acts on, read once and typed. Others may be anything."""

from __future__ import annotations

import re
from typing import Annotated, TypeVar

import msgspec

from providers.echo.directives import Directives
from providers.types import Json, JsonObject

MOST_DIMENSIONS = 4_096
MOST_CHOICES = 128

_PLACE = re.compile(r"(?: - at `\$\.?(?P<place>.*)`)?$")
_MISSING = re.compile(r"required field `(?P<name>\w+)`")

Limit = Annotated[int, msgspec.Meta(ge=1)]
Tokens = list[int]


class Refusal(ValueError):
    """The request is not as it should be; the text says how."""

    def __init__(self, param: str | None, message: str) -> None:
        super().__init__(message)
        self.param = param


class Schema(msgspec.Struct, frozen=True, rename="camel"):
    """The part of a JSON Schema that a sample is made by."""

    const: Json = msgspec.UNSET
    enum: list[Json] = []
    any_of: list[Subschema] = []
    one_of: list[Subschema] = []
    type: str | list[str] = "object"
    properties: dict[str, Subschema] = {}
    items: Subschema | None = None
    min_items: Annotated[int, msgspec.Meta(ge=0)] = 0


Subschema = Schema | bool
"""`true` and `false` are schemas too."""


class Part(msgspec.Struct, frozen=True):
    """One part of a message."""

    type: str
    text: str | msgspec.UnsetType = msgspec.UNSET

    def heard(self) -> str:
        """Give the text, or the kind of what is no text."""
        return f"[{self.type}]" if self.text is msgspec.UNSET else self.text


class Message(msgspec.Struct, frozen=True):
    """One message."""

    role: str
    content: str | list[Part] | None = None

    def heard(self) -> str:
        """Give its text."""
        if isinstance(self.content, list):
            return "".join(part.heard() for part in self.content)
        return self.content or ""


class Function(msgspec.Struct, frozen=True):
    """A function that may be called."""

    name: str
    parameters: Schema | None = None


class OfferedTool(msgspec.Struct, frozen=True):
    """One of `tools`: a function, or another kind that is never called."""

    function: Function | None = None


class NamedFunction(msgspec.Struct, frozen=True):
    """The function that a tool choice names."""

    name: str


class ToolChoice(msgspec.Struct, frozen=True):
    """A tool choice that names a function, or is of another kind."""

    function: NamedFunction | None = None


class AskedSchema(msgspec.Struct, frozen=True):
    """The schema of a response format."""

    schema: Schema | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    """The form that the answer is to have."""

    type: str
    json_schema: AskedSchema | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream is to hold besides its words."""

    include_usage: bool | None = None


class Request(msgspec.Struct, frozen=True):
    """What all operations have."""

    model: str = ""
    echo: Directives | None = None

    @property
    def directives(self) -> Directives:
        """How to behave."""
        return self.echo or Directives()


class Question(Request, frozen=True):
    """What both operations in words have."""

    n: Annotated[int, msgspec.Meta(ge=1, le=MOST_CHOICES)] | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None


class Chat(Question, frozen=True, kw_only=True):
    """A request to `/chat/completions`."""

    messages: list[Message]
    tools: list[OfferedTool] | None = None
    tool_choice: str | ToolChoice | None = None
    response_format: ResponseFormat | None = None

    def heard(self) -> str:
        """Give the last thing that a user or a tool said."""
        said = (message.heard() for message in reversed(self.messages) if message.role in ("user", "tool"))
        return next(said, "")


TextList = Annotated[list[str | int | Tokens], msgspec.Meta(min_length=1)]
"""Several texts, or the tokens of one, or of several."""


class Completions(Question, frozen=True, kw_only=True):
    """A request to `/completions`."""

    prompt: str | TextList


class Embeddings(Request, frozen=True, kw_only=True):
    """A request to `/embeddings`."""

    input: str | TextList
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=MOST_DIMENSIONS)] | None = None
    encoding_format: str | None = None


Kind = TypeVar("Kind", bound=Request)


def read(kind: type[Kind], body: JsonObject) -> Kind:
    """Read a request. Raises `Refusal` naming the field."""
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        message = str(error)
        place = _PLACE.search(message)
        missing = _MISSING.search(message)
        names = [place["place"] if place else None, missing["name"] if missing else None]
        param = ".".join(filter(None, names)) or None
        raise Refusal(param, message.replace("`$.", "`")) from None


def texts_of(given: str | TextList) -> list[str]:
    """Give the texts of a `prompt` or an `input`; those that are tokens as JSON."""
    if isinstance(given, str) or all(isinstance(part, int) for part in given):
        return [text_of(given)]
    return [text_of(part) for part in given]


def text_of(value: Json) -> str:
    """Give a text itself, and anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
