"""The contract between the gateway and a dialect: one adapter per dialect and operation.

An adapter is stateless and pure. A module with these functions satisfies it, or a frozen
dataclass with these methods. The target is an argument of the reading functions too, because a
provider's quirks decide how its answer is read.

`Call.delivery` says which of the reading functions is asked: `parse_response` for a whole answer,
`open_stream` for all others. What an operation cannot do it refuses with `RequestRejected`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from providers.errors import UpstreamError
from providers.types import Call, Chunk, Head, HttpRequest, RateLimits, Reply, Target


class StreamDecoder(Protocol):
    """Reads one streamed answer: bytes in, chunks out, as `Call.delivery` has them."""

    @property
    def finished(self) -> bool:
        """Whether the terminal event has come, so that nothing more needs to be read."""
        ...

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the next bytes, however the network split them.

        Raises the `UpstreamError` that an error event names, `MalformedResponse` for an event that
        cannot be read or is too large. Chunks decoded before the bad event are not lost: they are
        in `UpstreamError.chunks`.
        """
        ...

    def close(self) -> Sequence[Chunk]:
        """Take the end of the stream. Raises `StreamTruncated` if the terminal event never came."""
        ...


class Adapter(Protocol):
    """Translates one operation between the OpenAI dialect and one provider's."""

    def build_request(self, call: Call, target: Target) -> HttpRequest:
        """Render the call as the one request this provider expects. `call.files` go into its body unread.

        Raises `UnsupportedParameter` for a field that the dialect cannot express and that the
        target's `drop` does not name, `RequestRejected` for one it can see to be wrong.
        """
        ...

    def parse_response(self, call: Call, target: Target, head: Head, body: bytes) -> Reply:
        """Read a complete 2xx body. `Reply.job` names what was submitted, where the answer is still to be fetched.

        Raises `MalformedResponse`, or the error that the body reports under a 200.
        """
        ...

    def parse_error(self, head: Head, body: bytes, now: float) -> UpstreamError:
        """Classify a non-2xx answer; `now` in Unix seconds. Total: returns for any bytes."""
        ...

    def parse_limits(self, head: Head, now: float) -> RateLimits | None:
        """Read what the provider says is left of its limits. Total."""
        ...

    def open_stream(self, call: Call, target: Target, head: Head) -> StreamDecoder:
        """Start reading a 2xx answer that is passed on while it arrives."""
        ...


@runtime_checkable
class Knowing(Adapter, Protocol):
    """The adapter of an operation about what was submitted, where its name tells all there is to know."""

    def known(self, call: Call, target: Target) -> Reply:
        """Answer for the provider, which is not asked. Total."""
        ...


@runtime_checkable
class Splitting(Adapter, Protocol):
    """The adapter of an operation of which a client may ask more at once than one request of the provider's takes.

    It is asked where `Call.several` says so.
    """

    def split(self, call: Call, target: Target) -> Sequence[Call]:
        """Give the calls that one request each takes, in order; the call itself where one takes it all.

        Raises `RequestRejected` for more than it can be split into.
        """
        ...

    def join(self, parts: Sequence[Call], replies: Sequence[Reply]) -> Reply:
        """Give the answers to the parts as one, as if one request had taken all. Raises `MalformedResponse`."""
        ...


@runtime_checkable
class Pointing(Adapter, Protocol):
    """The adapter of an operation about what was submitted, whose first answer tells where the second is."""

    def next_request(self, call: Call, target: Target, head: Head, body: bytes) -> HttpRequest:
        """Ask for the second, from the whole 2xx body of the first; of the same server, for it shows the credential.

        Raises `RequestRejected` where there is nothing to ask for, `MalformedResponse`, or the error that
        the body reports.
        """
        ...
