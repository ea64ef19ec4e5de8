"""What a reviewer would have to remember about the whole tree."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from providers.catalog import CATALOG
from tests.deploy.tree import ROOT, python_files, tracked

LONGEST_FILE = 400
# Put together here, so that this file does not hold what it looks for.
MACHINE_PATHS = tuple(f"/{folder}/".encode() for folder in ("work", "root", "home"))
INDEX_HOSTS = re.compile(
    r"https?://|\b(?:pypi|pythonhosted|npmjs|yarnpkg)\.\w+|^--?(?:i|f|index-url|extra-index-url|find-links)\b",
    re.MULTILINE,
)
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
every_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)

FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__", "importlib.import_module"),
    *("ast.literal_eval", "yaml.load", "yaml.unsafe_load", "yaml.full_load"),
    *("os.system", "os.popen"),
}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "subprocess"}
SQL = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|PRAGMA|ATTACH|WITH)\b", re.IGNORECASE)
TAKES_SQL = {"execute", "executemany", "executescript", "exec_driver_sql", "text"}


def test_no_file_names_a_place_on_some_machine():
    found = {
        f"{path.relative_to(ROOT)}: {place.decode()}"
        for path in tracked()
        for place in MACHINE_PATHS
        if re.search(rb"(?<![\w.~-])" + re.escape(place), path.read_bytes())
    }
    assert not found, sorted(found)


def test_no_lock_file_of_another_tool_is_there():
    names = {path.name for path in tracked()}
    assert not names & {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "yarn.lock"}


def test_nothing_that_is_made_or_secret_is_tracked():
    made = re.compile(r"(^|/)(\.venv|node_modules|__pycache__|dist|data)/|\.(pyc|db|whl)$|(^|/)\.env$")
    names = [str(path.relative_to(ROOT)) for path in tracked()]
    assert not [name for name in names if made.search(name)]


def test_node_locks_name_no_registry():
    for path in tracked():
        if path.name == "package-lock.json":
            assert '"resolved"' not in path.read_text(), path


@every_lock
def test_every_locked_package_has_a_version_and_hashes(lock):
    packages = requirements_of(lock)
    assert packages
    for line, hashes in packages.items():
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.!+]+", line), line
        assert hashes, f"{line} has no hash"


@every_lock
def test_no_lock_names_an_index(lock):
    assert not INDEX_HOSTS.search(lock.read_text())


def test_what_is_tested_is_what_is_run():
    """The tests' lock holds every package of the image's, and that one those to run, in the same version."""
    assert pins_of("run.txt").items() <= pins_of("image.txt").items() <= pins_of("test.txt").items()
    assert pins_of("image.txt").keys() - pins_of("run.txt").keys() >= {"asyncpg", "redis"}


def test_the_wheel_is_built_by_the_locked_backend():
    (backend,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    name, _, version = backend.partition("==")
    assert pins_of("tool.txt")[name] == version


def pins_of(name: str) -> dict[str, str]:
    """Give the versions of a lock file by package, for this platform and all others."""
    lines = requirements_of(ROOT / "requirements" / name)
    # What only Windows needs is no part of what CI can try.
    pins = [line.partition(" ;")[0].split("==") for line in lines if "== 'win32'" not in line]
    return {re.sub(r"\[.*\]", "", package): version for package, version in pins}


def requirements_of(lock: Path) -> dict[str, int]:
    """Give the requirements of a lock file, and how many hashes each has."""
    found: dict[str, int] = {}
    last = ""
    for line in lock.read_text().splitlines():
        if line and line[0].isalnum():
            last = line.rstrip(" \\")
            found[last] = 0
        found[last] = found.get(last, 0) + line.count("--hash=sha256:") if last else 0
    found.pop("", None)
    return found


def test_the_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == project["version"]


def test_no_file_is_too_long_to_read():
    lengths = {place(path): len(path.read_text().splitlines()) for path in python_files()}
    assert not {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE}


@pytest.mark.slow
def test_nothing_runs_or_imports_what_it_reads():
    assert not places_where(runs_what_it_reads)


@pytest.mark.slow
def test_no_statement_of_sql_is_put_together_from_text():
    assert not places_where(is_built_sql)


@pytest.mark.slow
def test_nothing_depends_on_a_providers_name():
    catalog = ROOT / "providers" / "catalog.py"
    assert not [found for found in places_where(asks_for_a_provider) if not found.startswith(place(catalog))]


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def places_where(wrong: Callable[[ast.AST], bool]) -> list[str]:
    """Give file and line of everything in the two packages that is wrong."""
    trees = [(place(path), ast.parse(path.read_text())) for path in python_files()]
    assert trees
    return [
        f"{name}:{getattr(node, 'lineno', 0)}"
        for name, tree in trees
        for node in ast.walk(tree)
        if wrong(node)
    ]


def runs_what_it_reads(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return dotted(node.func) in FORBIDDEN_CALLS
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        # `from importlib import import_module` hides the call that is looked for.
        names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    else:
        return False
    return any(name.partition(".")[0] in FORBIDDEN_MODULES or name in FORBIDDEN_CALLS for name in names)


def dotted(node: ast.AST) -> str:
    """Give `a.b` for an attribute of a name, and the name for a name."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def is_built(node: ast.AST) -> bool:
    """Whether a text is put together here: an f-string with a value in it, `%`, `+` or `.format`."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr in {"format", "join"}
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add)


def is_built_sql(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and node.args and is_built(node.args[0]):
        return dotted(node.func).rpartition(".")[2] in TAKES_SQL
    if not is_built(node):
        return False
    texts = [
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    # Keywords in capitals tell a statement from a sentence.
    return bool(texts) and bool(match := SQL.match(texts[0])) and match[0].strip().isupper()


def asks_for_a_provider(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare) and all(
        isinstance(each, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for each in node.ops
    ):
        compared = [node.left, *node.comparators]
    elif isinstance(node, ast.MatchValue):
        compared = [node.value]
    else:
        return False
    texts = {part.value for each in compared for part in ast.walk(each) if isinstance(part, ast.Constant)}
    return bool(texts & set(CATALOG))


@pytest.mark.parametrize(
    ("code", "caught"),
    [
        ('run(f"SELECT * FROM {table}")', is_built_sql),
        ('db.execute("SELECT " + columns)', is_built_sql),
        ("db.execute(query.format(table))", is_built_sql),
        ('name = "DELETE FROM %s" % table', is_built_sql),
        ("eval(text)", runs_what_it_reads),
        ("importlib.import_module(name)", runs_what_it_reads),
        ("from importlib import import_module", runs_what_it_reads),
        ("import pickle", runs_what_it_reads),
        ("yaml.load(text, Loader=Loader)", runs_what_it_reads),
        ('provider == "openai"', asks_for_a_provider),
        ('provider in ("groq", "mistral")', asks_for_a_provider),
    ],
)
def test_the_scans_see_what_they_look_for(code, caught):
    assert any(caught(node) for node in ast.walk(ast.parse(code)))


@pytest.mark.parametrize(
    ("code", "passed"),
    [
        ('db.execute("SELECT 1", values)', is_built_sql),
        ('fail(f"select a model such as {model}")', is_built_sql),
        ("pattern.compile(text)", runs_what_it_reads),
        ("from importlib.metadata import version", runs_what_it_reads),
        ("provider == name", asks_for_a_provider),
    ],
)
def test_the_scans_let_the_rest_pass(code, passed):
    assert not any(passed(node) for node in ast.walk(ast.parse(code)))
