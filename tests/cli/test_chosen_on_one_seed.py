"""A value that is chosen on one seed is warned about, unless the study says so itself."""

from __future__ import annotations

from pathlib import Path

from tests.toys.trained_study import Call


def test_validate_warns_of_a_choice_on_one_seed_until_the_study_says_so(home: Path, call: Call) -> None:
    code, _, err = call("validate")
    assert code == 0
    assert "warning: choose: each value is tried on 1 seed (tier full)" in err
    file = home / "claims" / "toy.yaml"
    text = file.read_text()
    said = "choices:\n  - {key: choose.seeds, ours: 1 for each value}\n"
    file.write_text(text.replace("choices:\n", said) if "choices:\n" in text else f"{said}{text}")
    assert "choose:" not in call("validate")[2]
    file.write_text(text.replace("validation: 100, seeds: 1", "validation: 100, seeds: 2"))
    assert "choose:" not in call("validate")[2]
