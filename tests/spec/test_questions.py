"""questions.yaml: what claims ask in common, in words, and the questions that a study may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.errors import SpecError
from lnbench.spec import LoadedStudy, load_questions, load_studies, load_study
from tests.toys.edited_study import STUDY, Folder, edited

QUESTIONS = """\
schema: 1
questions:
  batch-size:
    title: Does a larger batch help?
    about: One says so. Another does not.
    confound: The length of training.
  depth: {title: "Does depth help?", about: "One says so, another does not."}
"""
ASKS = ("where: {table: 1}\n", "where: {table: 1}\n    question: »batch-size\n")


@pytest.fixture
def asking(toy: Folder) -> Folder:
    """The toy's folder with a file of questions."""
    (toy.root / "questions.yaml").write_text(QUESTIONS)
    return toy


def test_questions_are_read_in_the_files_order(asking: Folder) -> None:
    found = load_questions(asking.root / "questions.yaml")
    assert [*found] == ["batch-size", "depth"]
    assert found["batch-size"].confound == "The length of training." and found["depth"].confound is None


def test_a_study_may_ask_what_is_there(asking: Folder) -> None:
    old, new = ASKS
    assert asking.load((old, new.replace("»", ""))).any.spec.claims[0].question == "batch-size"


def test_a_question_that_is_not_there_is_an_error_at_its_place_with_a_hint(asking: Folder) -> None:
    old, new = ASKS
    what = "question: 'batchsize' is not in questions.yaml; did you mean 'batch-size'?"
    asking.refuses((old, new.replace("batch-size", "batchsize")), because=what)
    what = "question: 'why' is not in questions.yaml; known: batch-size, depth"
    asking.refuses((old, new.replace("batch-size", "why")), because=what)


def test_without_a_file_any_name_will_do(toy: Folder) -> None:
    old, new = ASKS
    assert load_questions(toy.root / "questions.yaml") == {}
    assert toy.load((old, new.replace("»batch-size", "why")))


def test_an_edited_file_is_read_again(asking: Folder) -> None:
    old, new = ASKS
    file = asking.root / "questions.yaml"
    file.write_text(QUESTIONS.replace("depth:", "width-and-depth:"))
    assert asking.load((old, new.replace("»batch-size", "width-and-depth")))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "about: One says so. Another does not.\n",
            "abuot: One says so.\n",
            "5:5: unknown key 'abuot'; did you mean 'about'?",
        ),
        ("about: One says so. Another does not.\n", 'about: ""\n', "5:12: about: is empty"),
        ("title: Does a larger batch help?", "title: 7", "4:12: title: expected text, not 7; quote it"),
        ("  depth:", "  batch-size:", "7:3: duplicate key 'batch-size'; it is already on line 3"),
        ("  depth:", "  Is it deep?:", "7:3: Is it deep?: 'Is it deep?' is not a name"),
        ("schema: 1", "schema: 2", "1:9: schema: 2 is not known"),
        ("schema: 1", "schema: !!python/object:os.system 1", "1:9: the tag"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_at_its_place_once_for_all_studies(
    asking: Folder, old: str, new: str, what: str
) -> None:
    file = asking.root / "questions.yaml"
    file.write_text(edited(QUESTIONS, (old, new)))
    with pytest.raises(SpecError) as caught:
        load_questions(file)
    assert any(str(problem).startswith(f"{file}:{what}") for problem in caught.value.problems), str(caught.value)
    question = ASKS[1].replace("»", "")
    asking.study.write_text(edited(STUDY, (ASKS[0], question)))
    other = asking.study.with_name("other.yaml")
    other.write_text(edited(STUDY, (ASKS[0], question)).replace("T-0", "O-0"))
    with pytest.raises(SpecError) as again:
        load_studies([asking.study, other])
    assert str(again.value) == str(caught.value)


def test_a_study_that_asks_nothing_does_not_read_the_file(asking: Folder) -> None:
    (asking.root / "questions.yaml").write_text("of somebody else")
    assert load_study(asking.study)


def test_every_question_of_the_claims_has_words_and_none_is_left_over(
    repository: Path, studies: list[LoadedStudy]
) -> None:
    asked = {claim.question for study in studies for claim in study.any.spec.claims} - {None}
    questions = load_questions(repository / "questions.yaml")
    assert asked == set(questions)
    assert [*questions] == sorted(questions)
    for name, question in questions.items():
        assert question.title.endswith("?"), name
        assert question.about.count(". ") == 1 and question.about.endswith("."), f"{name}: two sentences"
