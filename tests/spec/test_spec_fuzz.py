"""Whatever becomes of a study's text, reading it gives a study or lines with the file's name, and nothing else."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lnbench.errors import SpecError
from lnbench.spec import load_study
from tests.toys.edited_study import BASELINE, STUDY

ROOT = Path(__file__).resolve().parents[2]
REAL = (ROOT / "claims" / "rolnick_mnist.yaml").read_text(encoding="utf-8")
SECONDS = 20  # for one small file, on a machine that is busy: a hang is longer

TOKEN = re.compile(r"[A-Za-z0-9_.+*&/-]+|[^\sA-Za-z0-9]")
HARSH = [
    "null", "~", "{}", "[]", "-1", "0", "1.5", "true", "no", "1e-3", ".nan", "*lr", "&lr", "<<", "!!str", "''", '"',
    "{", "}", "[", "]", ":", "?", "-", "|", ">", "%", "@", "\t", "\u2028", "é", "999999999999", "model", "#",
    "'", "noise.alpha", "kind", "[model]", "{model: mlp1}", "above", "runs", "{a: {b: {c: 1}}}", "R001-01", "\n", "---",
]  # fmt: skip


@st.composite
def without_a_line(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    start = draw(st.integers(0, len(lines) - 1))
    return "\n".join(lines[:start] + lines[start + draw(st.integers(1, 3)) :])


@st.composite
def with_a_token_changed(draw: st.DrawFn, text: str) -> str:
    tokens = list(TOKEN.finditer(text))
    for _ in range(draw(st.integers(1, 2))):
        token, other = draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens))
        new = draw(st.one_of(st.just(other.group()), st.sampled_from(HARSH), st.just("")))
        text = text[: token.start()] + new + text[token.end() :]
    return text


@st.composite
def cut_off(draw: st.DrawFn, text: str) -> bytes:
    data = text.encode()
    return data[: draw(st.integers(0, len(data)))]


@st.composite
def with_something_inserted(draw: st.DrawFn, text: str) -> str:
    at = draw(st.integers(0, len(text)))
    junk = draw(st.one_of(st.text(max_size=8), st.sampled_from(["  ", " ", "\n  ", "\t", "- ", *HARSH])))
    return text[:at] + junk + text[at:]


@st.composite
def indented_otherwise(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    at = draw(st.integers(0, len(lines) - 1))
    lines[at] = " " * draw(st.integers(0, 9)) + lines[at].lstrip()
    return "\n".join(lines)


@st.composite
def with_lines_swapped(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    one, other = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


MUTATIONS = [
    without_a_line,
    with_a_token_changed,
    cut_off,
    with_something_inserted,
    indented_otherwise,
    with_lines_swapped,
]


def reads_or_refuses(path: Path, text: str | bytes) -> None:
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    start = time.process_time()
    try:
        load_study(path)
    except SpecError as error:
        # Not splitlines(): a stray U+2028 in a quoted value is part of its line.
        for line in str(error).split("\n"):
            assert line.startswith(f"{path}:"), line
            assert len(line) < 2000
        assert error.problems
    assert time.process_time() - start < SECONDS


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A place for a mutated study: with the toy's baselines beside it, and with the real ones."""
    found = {}
    for name in ("toy", "real"):
        root = tmp_path_factory.mktemp(name)
        (root / "claims").mkdir()
        found[name] = root / "claims" / "study.yaml"
        if name == "real":
            (root / "baselines").symlink_to(ROOT / "baselines")
        else:
            (root / "baselines").mkdir()
            (root / "baselines" / "toy2020.yaml").write_text(BASELINE)
    return found


FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
MANY = settings(FEW, max_examples=400)


@pytest.mark.parametrize("mutate", MUTATIONS)
@FEW
@given(data=st.data())
def test_a_damaged_real_study_is_read_or_refused(
    folders: dict[str, Path], mutate: Callable[[str], st.SearchStrategy[str]], data: st.DataObject
) -> None:
    reads_or_refuses(folders["real"], data.draw(mutate(REAL)))


@pytest.mark.parametrize("mutate", MUTATIONS)
@FEW
@given(data=st.data())
def test_a_damaged_small_study_is_read_or_refused(
    folders: dict[str, Path], mutate: Callable[[str], st.SearchStrategy[str]], data: st.DataObject
) -> None:
    reads_or_refuses(folders["toy"], data.draw(mutate(STUDY)))


@pytest.mark.long
@pytest.mark.parametrize("name", ["toy", "real"])
@pytest.mark.parametrize("mutate", MUTATIONS)
@MANY
@given(data=st.data())
def test_a_damaged_study_is_read_or_refused_however_often_one_tries(
    folders: dict[str, Path], name: str, mutate: Callable[[str], st.SearchStrategy[str]], data: st.DataObject
) -> None:
    reads_or_refuses(folders[name], data.draw(mutate({"toy": STUDY, "real": REAL}[name])))


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**6), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["mlp1", "sgd", "above", "net", "gap", "noise.alpha", "full", "T-01", "table1/net", "", "x"]),
)  # fmt: skip
KEYS = st.sampled_from(["a", "at", "kind", "base", "model", "noise.alpha", "T-01", "parts", "effect", "gap"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)


@settings(FEW, max_examples=60)
@given(data=st.data())
def test_any_value_anywhere_in_a_study_is_read_or_refused(folders: dict[str, Path], data: st.DataObject) -> None:
    """A whole value of any kind in the place of another, at any depth: the form is wrong, the YAML is not."""
    yaml = pytest.importorskip("yaml")
    tree = yaml.safe_load(STUDY)
    here = tree
    while True:
        key = data.draw(st.sampled_from(sorted(here) if isinstance(here, dict) else list(range(len(here)))))
        inner = here[key]
        if isinstance(inner, dict | list) and inner and data.draw(st.integers(0, 4)):
            here = inner
            continue
        here[key] = data.draw(VALUES)
        break
    reads_or_refuses(folders["toy"], yaml.safe_dump(tree, allow_unicode=True, default_flow_style=None))


@settings(FEW, max_examples=100)
@given(text=st.one_of(st.text(max_size=200), st.text(alphabet="{}[]:,-?&*!|>'\"%@`# \n\tab1.", max_size=200)))
def test_any_text_is_refused_with_lines(folders: dict[str, Path], text: str) -> None:
    reads_or_refuses(folders["toy"], text.encode("utf-8", "replace").decode())


@settings(FEW, max_examples=50)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_with_lines(folders: dict[str, Path], data: bytes) -> None:
    reads_or_refuses(folders["toy"], data)
