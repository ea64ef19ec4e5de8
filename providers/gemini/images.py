"""Images from a prompt: Gemini's image models draw in a chat's answer, Imagen predicts.

Fields that OpenAI does not have go on untouched: to Imagen's `parameters` (`personGeneration` …), or to
Gemini's request (`safetySettings`, `generationConfig` …). Neither takes pixels: `size` says the shape of
an image. Images come as data. `user` is a mere label and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from providers.adapter import StreamDecoder
from providers.asked import named
from providers.errors import RequestRejected, UpstreamError
from providers.gemini import drawing, errors, imagen, pictures
from providers.gemini.address import credentials, method_url
from providers.posting import post
from providers.types import Call, Head, HttpRequest, JsonObject, RateLimits, Reply, Target


@dataclass(frozen=True, slots=True)
class _Way:
    method: str
    ask: Callable[[JsonObject, Target], JsonObject]
    read: Callable[[Call, Target, bytes], Reply]


_WAYS = (
    ("*-image*", _Way("generateContent", drawing.ask, drawing.read)),
    ("*", _Way("predict", imagen.ask, imagen.read)),
)


@dataclass(frozen=True, slots=True)
class Images:
    """Implements `providers.adapter.Adapter` for whoever serves these models."""

    url: Callable[[Target, str], str]
    """Gives the address of a model's method."""
    credentials: Callable[[Target], Mapping[str, str]]

    def build_request(self, call: Call, target: Target) -> HttpRequest:
        """Render the call. Raises `UnsupportedParameter` and `RequestRejected`."""
        if call.stream:
            raise _not_streamed()
        fields = named(call.body, target, pictures.KNOWN)
        pictures.check(fields, target)
        way = _way(target)
        body = way.ask(fields, target)
        return post(self.url(target, way.method), body, self.credentials(target), target, stream=False)

    def parse_response(self, call: Call, target: Target, head: Head, body: bytes) -> Reply:  # noqa: ARG002 - the contract's
        """Read a 2xx body. Raises `ContentPolicyViolation`, `MalformedResponse`, or the error that the body reports."""
        return _way(target).read(call, target, body)

    def parse_error(self, head: Head, body: bytes, now: float) -> UpstreamError:
        """Classify a non-2xx answer; `now` in Unix seconds. Total."""
        return errors.parse_error(head, body, now)

    def parse_limits(self, head: Head, now: float) -> RateLimits | None:
        """Give nothing: Google does not say what is left."""
        return errors.parse_limits(head, now)

    def open_stream(self, call: Call, target: Target, head: Head) -> StreamDecoder:  # noqa: ARG002 - the contract's
        """Refuse: raises `RequestRejected`."""
        raise _not_streamed()


def _way(target: Target) -> _Way:
    return next(way for pattern, way in _WAYS if fnmatchcase(target.model, pattern))


def _not_streamed() -> RequestRejected:
    return RequestRejected(
        "Images cannot be streamed here; leave `stream` out or set it to false.", param="stream"
    )


ADAPTER = Images(method_url, credentials)
