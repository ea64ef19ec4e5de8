"""The Redis in `state`: does it answer, and does it take what limits and budgets write?"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from app.cli.doctor.finding import Finding, broken, ok
from app.config.models import Config
from app.config.state import MEMORY, kind_of
from app.state.link import Link, StateLost
from app.state.opening import ClientMissing, connections_to
from app.state.script import Script, key_of

SUBJECT = "shared state"
_WRITE = Script("return redis.call('SET', KEYS[1], '1', 'PX', '1000')")


async def look_at_state(config: Config) -> Iterator[Finding]:
    """Look at it, where there is one."""
    if kind_of(config.state) == MEMORY:
        return iter([ok(SUBJECT, "in memory: limits and budgets hold for this process alone")])
    try:
        link = Link(connections_to(config.state))
    except ClientMissing:
        return iter([broken(SUBJECT, "redis-py is not installed", "pip install 'switchgear[redis]'")])
    try:
        await link.open([_WRITE], lanes=1)
        await link.ask(_WRITE, [key_of("doctor", uuid.uuid4().hex)], [])
    except StateLost as error:
        advice = "see that `state` names it with its password, and that it may be written to"
        return iter([broken(SUBJECT, f"the Redis in `state` is of no use: {error}", advice)])
    finally:
        await link.close()
    return iter([ok(SUBJECT, "the Redis in `state` answers and takes what is written")])
