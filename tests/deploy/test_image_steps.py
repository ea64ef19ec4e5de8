"""What the Dockerfile does, done for real in a folder that stands for the image's root."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.dockerfile import Instruction, Stage, exec_form, read_stages
from tests.deploy.tree import ROOT
from tests.harness.gateway import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MASTER_KEY = "sk-image-steps-0123456789abcdef"
OUR_FOLDERS = re.compile(r"(?<![\w.])/(opt|src|data)\b")
NOBODY = 65534


def reachable(path: Path) -> bool:
    """Whether a user without rights can get at it."""
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)


def base_python() -> Path:
    """Give the Python beneath this one, or the system's where only that can be used by everyone."""
    ours, systems = Path(getattr(sys, "_base_executable", sys.executable)), Path("/usr/bin/python3")
    if os.geteuid() != 0 or reachable(ours) or not systems.exists():
        return ours
    complete = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
    usable = subprocess.run([systems, "-c", complete], capture_output=True, check=False).returncode == 0
    return systems.resolve() if usable else ours


class Image:
    """A folder in place of `/`, in which the instructions have been carried out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "bin").mkdir()
        (root / "bin" / "python").symlink_to(base_python())
        self.path = f"{root / 'bin'}:/usr/bin:/bin"
        # PIP_… and such tell where packages come from on this machine; the image has its own.
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
        self.env = {**kept, "PATH": self.path, "HOME": str(root)}
        self.workdir = root

    def carry_out(self, stage: Stage) -> None:
        self.env["PATH"] = self.path
        for instruction in stage.instructions:
            self._step(instruction)

    def here(self, text: str) -> str:
        """Put the folder before the paths that the image would have."""
        return OUR_FOLDERS.sub(lambda match: f"{self.root}{match[0]}", text)

    def run(self, *command: str, user: int | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.workdir,
            env={**self.env, **env},
            user=user,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def _step(self, instruction: Instruction) -> None:
        match instruction.word:
            case "WORKDIR":
                self.workdir = Path(self.here(instruction.rest)) if instruction.rest != "/" else self.root
                self.workdir.mkdir(exist_ok=True)
            case "ENV":
                for pair in instruction.rest.split():
                    name, _, value = pair.partition("=")
                    self.env[name] = self.here(value).replace("$PATH", self.env["PATH"])
            case "COPY" if not instruction.rest.startswith("--from="):
                *sources, into = instruction.rest.split()
                for source in sources:
                    self._copy(ROOT / source, self.workdir / into)
            case "RUN":
                command = self.here(instruction.rest)
                if os.geteuid() != 0:
                    command = re.sub(r" --(owner|group)=\d+", "", command)
                done = subprocess.run(
                    ["sh", "-c", command],
                    cwd=self.workdir,
                    env=self.env,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{instruction.rest}\n{done.stdout}{done.stderr}"

    def _copy(self, source: Path, into: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, into, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            # A name that ends in a slash is a folder, and so is one that is there.
            folder = into if into.is_dir() or not into.suffix else into.parent
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder)


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    # Not under pytest's folder, which other users cannot enter.
    with tempfile.TemporaryDirectory(prefix="switchgear-image-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        built = Image(root)
        for stage in read_stages():
            built.carry_out(stage)
        shutil.rmtree(root / "src")
        shutil.rmtree(root / "opt" / "tool")
        yield built


@pytest.fixture(scope="module")
def user(image: Image) -> int | None:
    """Someone without rights, where this may be changed and the Python beneath the venv can be reached."""
    able = os.geteuid() == 0 and reachable(image.root / "bin" / "python")
    return NOBODY if able else None


def test_the_command_is_there_and_says_its_version(image, user):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    said = image.run("switchgear", "version", user=user)
    assert (said.returncode, said.stdout.strip()) == (0, version), said.stderr


def test_the_environment_holds_the_wheel_and_no_tools(image):
    names = {path.name for path in (image.root / "opt" / "switchgear" / "bin").iterdir()}
    assert not names & {"pip", "uv", "hatchling", "pytest"}
    where = image.run("python", "-c", "import app, providers; print(app.__file__, providers.__file__)")
    packages = f"{image.root}/opt/switchgear/lib/"
    assert all(path.startswith(packages) for path in where.stdout.split()), where


def test_it_can_share_its_state_and_its_store(image):
    where = image.run("python", "-c", "import app.state.opening, app.store.postgres, asyncpg, redis")
    assert where.returncode == 0, where.stderr


def test_nothing_is_compiled_at_run_time(image):
    """On a read-only root, what was not compiled before would be compiled at every start."""
    (app,) = (image.root / "opt" / "switchgear").glob("lib/*/site-packages/app")
    sources = [path for path in app.rglob("*.py") if path.read_text().strip()]
    assert sources
    compiled = {path.name.split(".")[0] for path in app.rglob("__pycache__/*.pyc")}
    assert {path.stem for path in sources} <= compiled


def test_without_a_key_it_refuses_to_listen_and_says_what_to_set(image, user):
    command = ["switchgear", *exec_form(read_stages()[-1].only("CMD"))]
    refused = image.run(*command, SWITCHGEAR_SERVER__PORT=str(free_port()))
    assert refused.returncode == 1
    assert "SWITCHGEAR_MASTER_KEY" in refused.stderr


def test_it_becomes_healthy_and_stops_when_told(image, user):
    final = read_stages()[-1]
    health = exec_form(final.only("HEALTHCHECK").partition(" CMD ")[2])
    env = {"SWITCHGEAR_SERVER__PORT": str(free_port()), "SWITCHGEAR_MASTER_KEY": MASTER_KEY}
    data = image.root / "data"
    if user is not None:
        os.chown(data, user, user)
        for path in data.rglob("*"):
            os.chown(path, user, user)
    assert image.run(*health, user=user, **env).returncode != 0, "nobody listens yet"
    with (image.root / "log").open("w") as log:
        gateway = subprocess.Popen(
            [*exec_form(final.only("ENTRYPOINT")), *exec_form(final.only("CMD"))],
            cwd=image.workdir,
            env={**image.env, **env},
            executable=shutil.which("switchgear", path=image.env["PATH"]),
            user=user,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 20
        while (checked := image.run(*health, user=user, **env)).returncode != 0:
            assert gateway.poll() is None, (image.root / "log").read_text()
            assert time.monotonic() < deadline, f"{checked}\n{(image.root / 'log').read_text()}"
        assert (data / "switchgear.db").exists(), "what must last is to lie in the volume"
    finally:
        gateway.send_signal(signal.SIGTERM)
        status = gateway.wait(15)
    log_text = (image.root / "log").read_text()
    assert status == 0, log_text
    assert MASTER_KEY not in log_text
