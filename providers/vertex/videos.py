"""Videos: Veo, submitted as a long-running prediction (https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation).

What was made comes within the operation: its status leaves it out, and its content is nothing else.
With `storageUri` the video is in that bucket alone.
"""

from __future__ import annotations

from providers.adapter import StreamDecoder
from providers.gemini import veo, veo_request
from providers.gemini.veo import Videos
from providers.posting import post, send
from providers.types import Call, Head, HttpRequest, Target
from providers.vertex.address import credentials, method_url
from providers.vertex.video_file import FileStream


def _submit(call: Call, target: Target) -> HttpRequest:
    url = method_url(target, "google", "predictLongRunning")
    return send(url, veo_request.body(call, target, says_all=True), credentials(target), target)


def _about(call: Call, target: Target) -> HttpRequest:
    url = method_url(target, "google", "fetchPredictOperation")
    return post(url, {"operationName": call.job}, credentials(target), target, stream=False)


def _file(_call: Call, _head: Head) -> StreamDecoder:
    return FileStream()


SUBMIT = Videos(build=_submit, reply=veo.submitted)
STATUS = Videos(build=_about, reply=veo.status)
CONTENT = Videos(build=_about, opens=_file)
