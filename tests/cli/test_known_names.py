"""Studies and claims are found by name, quickly, whatever lies in `claims/`; and a shell completes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lnbench import resources
from lnbench.cli.commands import known, verify
from lnbench.errors import LnbenchError
from lnbench.execute import groups
from tests.toys.trained_study import Call

BOMB = "b0: &b0 [1, 2]\n" + "\n".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]" for n in range(1, 12)) + "\n"
BAD_FILES = {
    "a date": "schema: 1\nclaims: 2020-01-01\n",
    "a bomb": BOMB,
    "no mapping": "- 1\n",
    "no claims": "claims: [1, {id: 2018-01-01, says: x}, {says: y}]\ntiers: {full: {}}\ntitle: t\npaper: p\n",
    "deep": "a: " + "[" * 5000 + "\n",
    "a byte": "a: \xff",
    "a tag": "a: !!python/object:os.system x\n",
}


@pytest.mark.parametrize("text", BAD_FILES.values(), ids=BAD_FILES)
def test_one_bad_file_hides_no_other_study(home: Path, call: Call, text: str) -> None:
    (home / "claims" / "bad.yaml").write_text(text, encoding="latin-1")
    for verb in (["list"], ["show", "TOY-01"], ["power", "TOY-01", "--tier", "full"]):
        code, out, err = call(*verb)
        assert code == 0 and "TOY-01" in out, err
    assert "bad: cannot be read" in call("list")[2]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_and_a_huge_file_are_not_read(home: Path, call: Call) -> None:
    os.mkfifo(home / "claims" / "pipe.yaml")
    with (home / "claims" / "huge.yaml").open("wb") as file:
        file.truncate(1 << 40)
    code, out, err = call("list")
    assert code == 0 and "TOY-01" in out
    assert "pipe: cannot be read" in err and "huge: cannot be read" in err


def test_what_a_study_says_obeys_no_terminal(home: Path, call: Call) -> None:
    """A character that turns the text is refused in a study; until it is mended, `list` shows it escaped."""
    text = (home / "claims" / "toy.yaml").read_text()
    (home / "claims" / "toy.yaml").write_text(text.replace("id: TOY-01", 'id: "TOY\\e[31m"'))
    code, out, err = call("list")
    assert code in (0, 5) and "\x1b[31m" not in out + err
    assert call("plan", "toy\x1b[31m")[2].startswith("lnbench: ") and "\x1b" not in call("plan", "toy\x1b[31m")[2]


def test_one_problem_and_two_begin_with_their_place(home: Path, call: Call) -> None:
    file = home / "claims" / "toy.yaml"
    text = file.read_text()
    for edited in (text.replace("schema: 1", "schema: 2"), text.replace("schema: 1", "schema: 2\nx: 1")):
        file.write_text(edited)
        code, _, err = call("validate", str(file))
        assert code == 2 and all(line.startswith(f"{file}:") for line in err.splitlines()), err


def test_a_claim_stands_for_its_study_and_asks_for_itself_alone(home: Path) -> None:
    toy = home / "claims" / "toy.yaml"
    assert known.find_all(["TOY-01"]) == ([toy], ("TOY-01",))
    assert known.find_all(["TOY-01", "TOY-02", "toy"]) == ([toy], ("TOY-01", "TOY-02"))
    assert known.find_all(["toy"], ["TOY-02"]) == ([toy], ("TOY-02",))
    (home / "claims" / "other.yaml").write_text("schema: 1\n")
    with pytest.raises(LnbenchError, match="name claims or studies in one command, not both"):
        known.find_all(["TOY-01", "other"])
    with pytest.raises(LnbenchError, match="did you mean 'TOY-01'"):
        known.find_all(["TOY-1"])


def test_verbs_take_a_claim_in_place_of_a_study(trained: Path, call: Call) -> None:
    for verb in (["plan", "TOY-01"], ["verify", "TOY-01"], ["report", "TOY-01"]):
        code, out, err = call(*verb, "--tier", "full")
        assert code == 0, err
        assert "toy-full" in out
    whole, one = (call("plan", name, "--tier", "full")[1].count("noise.alpha") for name in ("toy", "TOY-01"))
    assert one < whole


def test_studies_that_hide_lnbenchs_own_are_named(home: Path, call: Call) -> None:
    assert resources.hidden() is not None
    assert str(home / "claims") in call("list")[2]
    code, _, err = call("verify", "rolnick_mnist")
    assert code == 2 and "are used here, and those of lnbench are not" in err


def test_nothing_is_hidden_in_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(resources.root())
    assert resources.hidden() is None or resources.root() != resources.CHECKOUT


def test_the_backends_of_the_command_line_are_those_there_are() -> None:
    assert verify.BACKENDS == groups.BACKENDS


def test_a_shell_completes_studies_claims_and_data_without_torch_or_pydantic(home: Path) -> None:
    code = """
import sys
from lnbench.cli.main import main
try:
    main([])
except SystemExit:
    pass
print(sorted({"torch", "pydantic"} & set(sys.modules)), file=sys.stderr)
"""
    environment = {**os.environ, "_LNBENCH_COMPLETE": "bash_complete", "PYTHONPATH": os.pathsep.join(sys.path)}
    found = {}
    for words in ("lnbench verify to", "lnbench plan TOY-", "lnbench data fetch mni"):
        asked = {**environment, "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True, check=True)
        found[words] = done.stdout.split()
        assert "torch" not in done.stderr
        assert "pydantic" not in done.stderr or "data" in words  # which data there are, plug-ins say too
    assert found == {
        "lnbench verify to": ["plain,toy"],
        "lnbench plan TOY-": ["plain,TOY-01", "plain,TOY-02"],
        "lnbench data fetch mni": ["plain,mnist"],
    }
