"""The Dockerfile, read as far as it is written here: stages of instructions, and what they would do."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field

from tests.deploy.tree import ROOT


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word in capitals, and the rest of the line."""

    word: str
    rest: str


@dataclass
class Stage:
    """One stage: the image it starts from, and its instructions in order."""

    image: str
    name: str | None
    instructions: list[Instruction] = field(default_factory=list)

    def every(self, word: str) -> list[str]:
        """Give what stands behind each instruction of this word."""
        return [each.rest for each in self.instructions if each.word == word]

    def only(self, word: str) -> str:
        """Give what stands behind the one instruction of this word."""
        (rest,) = self.every(word)
        return rest

    def environment(self) -> dict[str, str]:
        """Give the variables that it sets."""
        return dict(pair.split("=", 1) for rest in self.every("ENV") for pair in shlex.split(rest))


def read_stages() -> list[Stage]:
    """Read the Dockerfile. Its lines are not continued, and it has no heredocs."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        assert not line.endswith("\\"), "this reader knows no continued lines"
        word, _, rest = line.partition(" ")
        if word == "ARG":
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif word == "FROM":
            image, _, name = rest.partition(" AS ")
            for argument, value in arguments.items():
                image = image.replace(f"${{{argument}}}", value)
            stages.append(Stage(image, name or None))
        else:
            stages[-1].instructions.append(Instruction(word, rest))
    return stages


def exec_form(rest: str) -> list[str]:
    """Read `["a", "b"]`."""
    command = json.loads(rest)
    assert isinstance(command, list)
    return command
