"""What the models cannot say of single values: does the whole make sense? Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from app.config import chains, credentials
from app.config.models import Config
from app.config.problems import Mark, Problem
from app.config.shape import secrets_in
from app.config.tree import Node, child, keys_of, nearest, place


def check(config: Config, tree: Node, catalog: Collection[str]) -> Iterator[Problem]:
    """Say what is wrong with chains, keys and secrets."""
    # From the tree, because what is wrong with a provider or model does not make its name unknown.
    providers = (*keys_of(child(tree, "providers")), *catalog)
    names = keys_of(child(tree, "models"))
    findings = (
        *chains.findings(config.models, names, providers),
        *credentials.findings(config),
        *_empty_keys(config, catalog),
    )
    for path, message, hint in findings:
        yield Problem(place(tree, path), path, message, hint)


def _empty_keys(config: Config, catalog: Collection[str]) -> Iterator[credentials.Finding]:
    """Find the empty keys that are mistakes: in a row of the catalogue, one only switches it off."""
    for name, settings in config.providers.items():
        for index, each in enumerate(settings.keys):
            if not each.key and name not in catalog:
                hint = "give one, or remove `keys` if the provider needs none"
                yield ("providers", name, "keys", index), "the secret is empty", hint


def skipped_targets(config: Config, on: Collection[str]) -> Iterator[str]:
    """Tell of targets that no call will reach because their provider is off."""
    for name, chain in config.models.items():
        for target in chain:
            provider = target.partition("/")[0]
            if "/" in target and provider not in on:
                yield f"models.{name}: {target} is skipped, since {provider} is off"


def literal_secrets(config: Config, tree: Node) -> Iterator[Mark]:
    """Give the places of secrets that stand in a file as they are."""
    for path, secret in secrets_in(config):
        node = nearest(tree, path)
        if secret and node.literal:
            yield node.mark


def thin_master_key(config: Config) -> Iterator[str]:
    """Tell of a master key that can be guessed."""
    key = config.auth.master_key
    if key and len(key.reveal()) < credentials.SHORTEST_KEY:
        yield f"auth.master_key is shorter than {credentials.SHORTEST_KEY} characters: it can be guessed"
