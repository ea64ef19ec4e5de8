"""What the models cannot say of single values: does the whole make sense? Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from itertools import zip_longest

from app.config import chains, credentials, membership, trust, urls
from app.config.models import Config
from app.config.problems import Mark, Path, Problem
from app.config.shape import secrets_in
from app.config.state import MEMORY, kind_of
from app.config.tree import Node, child, keys_of, nearest, place


def check(config: Config, tree: Node, catalog: Collection[str]) -> Iterator[Problem]:
    """Say what is wrong with chains, keys, who belongs where, issuers and secrets."""
    # From the tree, because what is wrong with a provider or model does not make its name unknown.
    providers = (*keys_of(child(tree, "providers")), *catalog)
    names = keys_of(child(tree, "models"))
    findings = (
        *_in_the_form_written(chains.findings(config.models, names, providers), tree),
        *credentials.findings(config),
        *membership.findings(
            config, {each: keys_of(child(tree, each)) for each in membership.SECTIONS.values()}
        ),
        *trust.findings(config.auth.jwt),
        *_ports(config),
        *_webhook(config),
        *_workers(config),
        *_empty_keys(config, catalog),
    )
    for path, message, hint in findings:
        yield Problem(place(tree, path), path, message, hint)


def _in_the_form_written(findings: Iterator[chains.Finding], tree: Node) -> Iterator[chains.Finding]:
    """Leave out of a path the setting whose list stands in place of its whole mapping."""
    for path, message, hint in findings:
        written: Path = ()
        for part, following in zip_longest(path, path[1:]):
            is_short = isinstance(following, int) and not keys_of(nearest(tree, written))
            written = written if is_short else (*written, part)
        yield written, message, hint


def _ports(config: Config) -> Iterator[credentials.Finding]:
    port = config.admin.port
    # On two addresses too: it is the port by which a request is told to be the admin API's.
    if port and port == config.server.port:
        hint = "give it another one, or leave it out to have the admin API on `server.port`"
        yield ("admin", "port"), "is the same as `server.port`", hint


def _webhook(config: Config) -> Iterator[credentials.Finding]:
    said = config.notifications
    if said.webhook and (
        fault := urls.fault_of_own(
            said.webhook.reveal(), urls.WEBHOOK_EXAMPLE, allow_private=said.allow_private
        )
    ):
        yield ("notifications", "webhook"), *fault


def _workers(config: Config) -> Iterator[credentials.Finding]:
    """Refuse several workers that would each count for themselves."""
    workers = getattr(config.server, "workers", 1)
    if workers > 1 and kind_of(config.state) == MEMORY:
        message = (
            f"{workers} workers would each have limits and budgets of their own, so all would be exceeded"
        )
        yield ("server", "workers"), message, "set `state` to redis://host:6379/0, or keep one worker"


def _empty_keys(config: Config, catalog: Collection[str]) -> Iterator[credentials.Finding]:
    """Find the empty keys that are mistakes: in a row of the catalogue, one only switches it off."""
    for name, settings in config.providers.items():
        for index, each in enumerate(settings.keys):
            if not each.key and name not in catalog:
                hint = "give one, or remove `keys` if the provider needs none"
                yield ("providers", name, "keys", index), "the secret is empty", hint


def skipped_targets(config: Config, on: Collection[str]) -> Iterator[str]:
    """Tell of targets that no call will reach because their provider is off."""
    for name, settings in config.models.items():
        fallbacks = (each for chain in settings.fallback.chains.values() for each in chain)
        for target in dict.fromkeys((*settings.names, *fallbacks)):
            provider = target.partition("/")[0]
            if "/" in target and provider not in on:
                yield f"models.{name}: {target} is skipped, since {provider} is off"


def idle_groups(config: Config, on: Collection[str]) -> Iterator[str]:
    """Tell of patterns of groups that no model of a provider can fit."""
    providers = {*on, *config.providers}
    for name, group in config.limit_groups.items():
        for pattern in group.models:
            if not any(_may_fit(pattern, provider) for provider in providers):
                hint = "" if "/" in pattern else f": patterns are over provider/model, as `*/{pattern}`"
                yield f"limit_groups.{name}: {pattern} fits no model of a provider that is configured{hint}"


def _may_fit(pattern: str, provider: str) -> bool:
    """Whether some `provider/…` fits: whether a beginning of the pattern takes the provider's part."""
    part = f"{provider}/"
    return any(fnmatchcase(part, pattern[: end + 1]) for end in range(len(pattern)))


def literal_secrets(config: Config, tree: Node) -> Iterator[Mark]:
    """Give the places of secrets that stand in a file as they are."""
    for path, secret in secrets_in(config):
        node = nearest(tree, path)
        if secret and node.literal and (path != ("state",) or "@" in secret.reveal()):
            yield node.mark
    storage = nearest(tree, ("storage",))
    if config.storage.has_password and storage.literal:
        yield storage.mark


def thin_master_key(config: Config) -> Iterator[str]:
    """Tell of a master key that can be guessed."""
    key = config.auth.master_key
    if key and len(key.reveal()) < credentials.SHORTEST_KEY:
        yield f"auth.master_key is shorter than {credentials.SHORTEST_KEY} characters: it can be guessed"
