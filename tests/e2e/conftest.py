"""The official Python client, pointed at the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.harness.gateway import KEY
from tests.harness.lanes import LANES, Lane
from tests.harness.rig import Rig


@pytest.fixture(params=list(LANES))
def lane(request: pytest.FixtureRequest) -> Lane:
    """Each dialect and way of reading it in turn."""
    return LANES[request.param]


@pytest.fixture
def openai(rig: Rig) -> Iterator[OpenAI]:
    """The client as applications use it, but for its retries: those would hide what a test looks at."""
    with OpenAI(base_url=f"{rig.gateway.base_url}/v1", api_key=KEY, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
async def async_openai(rig: Rig) -> AsyncIterator[AsyncOpenAI]:
    """The asynchronous one."""
    url = f"{rig.gateway.base_url}/v1"
    async with AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0, timeout=10) as client:
        yield client
