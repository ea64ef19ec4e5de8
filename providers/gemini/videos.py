"""Videos: Veo at Gemini's API (https://ai.google.dev/gemini-api/docs/video).

What was made is a file of the API's own: the operation tells its address, and the key opens it.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from providers.adapter import StreamDecoder
from providers.errors import MalformedResponse
from providers.gemini import veo, veo_request
from providers.gemini.address import credentials, method_url
from providers.gemini.operation import video_of
from providers.gemini.veo import Videos
from providers.openai.passing import Bytes
from providers.posting import get, send
from providers.types import Call, Head, HttpRequest, Target, Usage

_FILE = re.compile(r"(?:^|/)files/([A-Za-z0-9_-]{1,128})")


def _submit(call: Call, target: Target) -> HttpRequest:
    # Some of its models refuse even the length that all their videos have.
    body = veo_request.body(call, target, says_all=False)
    return send(method_url(target, "predictLongRunning"), body, credentials(target), target)


def _about(call: Call, target: Target) -> HttpRequest:
    return get(f"{target.base_url}/{quote(call.job, safe='/')}", credentials(target), target)


def _file(_call: Call, head: Head) -> StreamDecoder:
    return Bytes(head, Usage())


class Content(Videos):
    """Implements `providers.adapter.Pointing`."""

    def next_request(self, call: Call, target: Target, head: Head, body: bytes) -> HttpRequest:  # noqa: ARG002 - the contract's
        """Ask for the file. Raises `RequestRejected` where there is none, `MalformedResponse`."""
        found = _FILE.search(video_of(body).uri)
        if found is None:
            raise MalformedResponse("The answer does not tell which file the video is.")
        return get(f"{_downloads(target)}/files/{found[1]}:download?alt=media", credentials(target), target)


def _downloads(target: Target) -> str:
    """Give where files are: `/download` stands before the version, and the address that is told redirects there."""
    base = urlsplit(target.base_url)
    before, _, version = base.path.rpartition("/")
    return f"{base.scheme}://{base.netloc}{before}/download/{version}".removesuffix("/")


SUBMIT = Videos(build=_submit, reply=veo.submitted)
STATUS = Videos(build=_about, reply=veo.status)
CONTENT = Content(build=_about, opens=_file)
