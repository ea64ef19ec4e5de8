"""Images from other images (https://platform.openai.com/docs/api-reference/images/createEdit): a form, or JSON."""

from __future__ import annotations

from providers.errors import UnsupportedParameter
from providers.openai import data_urls, images, request
from providers.openai.plain import Plain, posting
from providers.types import Call, HttpRequest, Target

_PATH = "/images/edits"


def _build(call: Call, target: Target) -> HttpRequest:
    if call.files and target.quirks.files_in_json:
        return _in_json(call, target)
    return posting(_PATH)(call, target)


def _in_json(call: Call, target: Target) -> HttpRequest:
    """Put the one image into the JSON as a data URL (docs.x.ai, image editing)."""
    file, *others = call.files
    if others or file.name not in ("image", "image[]"):
        raise UnsupportedParameter(
            f"`{target.provider}` edits one image, without a mask.",
            param=others[0].name if others else file.name,
        )
    body = request.written(images.spelled(request.fields(call, target), target.quirks))
    with_image = data_urls.beside(body, b'"image":{"url":', [data_urls.quoted(file)], b"}")
    return request.post(call, target, _PATH, with_image)


ADAPTER = Plain(build=_build, read=images.read, opens=images.opens)
