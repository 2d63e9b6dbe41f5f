"""What YAML allows and a spec does not: every bad text is one line with its place, and never a traceback."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lnbench.errors import SpecError
from lnbench.spec import load_study
from lnbench.yamlfile import reader as specfile
from tests.toys.edited_study import STUDY, Folder, assert_problems, edited


def refuses(path: Path, marked: str | bytes, *gists: str) -> None:
    """That reading the file fails at the marks."""
    text = marked if isinstance(marked, str) else marked.decode()
    path.write_bytes(text.replace("»", "").encode())
    with pytest.raises(SpecError) as caught:
        specfile.load(path)
    assert_problems(caught.value, path, text.replace("\r", ""), list(gists))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.yaml"


@pytest.mark.parametrize(
    ("value", "gist"),
    [
        ("1e-3", "YAML reads '1e-3' as text; write 1.0e-3, with a point"),
        ("1E5", "write 1.0e+5"),
        ("-2e6", "write -2.0e+6"),
        ("10:30", "YAML reads '10:30' as a number to base 60; quote it"),
        ("1:30:30.5", "base 60"),
        ("no", "YAML reads 'no' as true or false"),
        ("Yes", "true or false"),
        ("off", "true or false"),
        ("y", "true or false"),
        ("010", "octal"),
        ("0x1F", "write a decimal"),
        ("0o17", "write a decimal"),
        ("60_000", "without underscores"),
        ("2018-03-01", "as a date; quote it"),
        (".nan", "write a finite one"),
        (".NaN", "write a finite one"),
        (".inf", "write a finite one"),
        ("-.INF", "write a finite one"),
        ("1.0e999", "too large"),
        ("1000000000000001", "too large; at most 1.0e15"),
        ("-1.1e15", "too large; at most 1.0e15"),
        ("9" * 5000, "too large"),
        ("0." + "1" * 5000, "too long"),
        ("'a\\x' !!str b", "indentation does not fit"),
    ],
)
def test_a_value_that_yaml_would_change_is_refused_with_what_to_write(path: Path, value: str, gist: str) -> None:
    mark = value.replace(" !!", " »!!") if "!!" in value else "»" + value
    refuses(path, f"a:\n  b: {mark}\n", gist)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0e-3", 1e-3),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("-1", -1),
        ("+7", 7),
        ("0", 0),
        ("1000000000000000", 10**15),
        ("true", True),
        ("~", None),
        ("", None),
        ("'no'", "no"),
        ('"1e-3"', "1e-3"),
        ("1.2.3", "1.2.3"),
        ("é–α", "é–α"),
        ("|\n    a\n    b", "a\nb\n"),
    ],
)
def test_a_plain_value_is_what_it_looks_like(path: Path, text: str, value: object) -> None:
    path.write_text(f"a:\n  b: {text}\n")
    found = specfile.load(path)["a"]["b"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("marked", "gist"),
    [
        pytest.param("a: 1\nb: 2\n»a: 3\n", "duplicate key 'a'; it is already on line 1", id="duplicate key"),
        pytest.param("a: {x: 1, »'x': 2}\n", "duplicate key 'x'", id="duplicate key in flow, one quoted"),
        pytest.param("a:\n»\tb: 1\n", "a tab is not allowed here; indent with spaces", id="tab"),
        pytest.param("a:»\t1\n", "a tab is not allowed here", id="tab after a colon"),
        pytest.param("»1: x\n", "a key must be text, and YAML reads '1' as something else", id="number key"),
        pytest.param("»null: x\n", "a key must be text", id="null as key"),
        pytest.param("a: {»on: x}\n", "a key must be text, and YAML reads 'on'", id="on as key"),
        pytest.param("a: {»: x}\n", "a key is missing before ':'", id="empty key"),
        pytest.param("? »[1, 2]\n: x\n", "a key must be text, not a list", id="list as key"),
        pytest.param("? »{a: 1}\n: x\n", "a key must be text, not a mapping", id="mapping as key"),
        pytest.param("a: 1\n»---\nb: 1\n", "a second document starts here", id="two documents"),
        pytest.param("a: »!!python/object/apply:os.system ['true']\n", "the tag '!!python/object/apply:os.system'",
                     id="Python tag"),
        pytest.param("a: »!!str 3\n", "the tag '!!str' is not allowed", id="str tag"),
        pytest.param("a: »!!binary aGk=\n", "the tag '!!binary'", id="binary tag"),
        pytest.param("a: »!mine {}\n", "the tag '!mine'", id="own tag"),
        pytest.param("a: »! 3\n", "the tag '!'", id="non-specific tag"),
        pytest.param("a: »!x!y 3\n", "tags are not allowed", id="undefined tag handle"),
        pytest.param("a: 1\n»<<: 3\n".replace("»<<: 3", "<<: »3"), "'<<' takes a mapping", id="merge of a number"),
        pytest.param("a: &a [1]\nb: {<<: *a}\n".replace("[1]", "[»1]"), "'<<' takes a mapping", id="merge of a list"),
        pytest.param("a: &a {x: 1}\nb: {<<: *a, »<<: *a}\n", "duplicate key '<<'", id="two merges"),
        pytest.param("a: »&a [*a]\n", "an alias that contains itself", id="list that contains itself"),
        pytest.param("a: »&a {b: *a}\n", "an alias that contains itself", id="mapping that contains itself"),
        pytest.param("a: »&a {<<: *a}\n", "an alias that contains itself", id="merge of itself"),
        pytest.param("a: »*nothing\n", "*nothing stands for nothing; no &nothing comes before it", id="no such anchor"),
        pytest.param("a: b»: c\n", "a ':' is not allowed here; quote", id="colon in a text"),
        pytest.param("a: »[1, 2\nb: 3\n", "a comma is missing, or no ']' closes", id="open list"),
        pytest.param("a: »{b: 1\n", "a comma is missing, or no '}' closes", id="open mapping"),
        pytest.param("a: »'text\n", "this quote is never closed", id="open quote"),
        pytest.param("a: »@x\n", "a text cannot start with '@'; quote it", id="at sign"),
        pytest.param("a: »`x`\n", "a text cannot start with '`'; quote it", id="backtick"),
        pytest.param("a:\n    b: 1\n  »c: 1\n", "the indentation does not fit the lines above", id="indentation"),
        pytest.param('a: "C:\\»specs"\n', "'\\s' means nothing in double quotes; use single quotes", id="Windows path"),
        pytest.param("a: 1\nb: 'x»\0y'\n", "the character U+0000 is not allowed", id="NUL"),
        pytest.param("a: é»\x07\n", "the character U+0007 is not allowed", id="bell"),
        pytest.param("»- a\n- b\n", "must be a mapping of keys to values", id="list"),
        pytest.param("»some text\n", "must be a mapping of keys to values", id="text"),
        pytest.param("»", "the file is empty; see an example under claims/", id="empty"),
        pytest.param("»# only a comment\n", "the file is empty", id="comment"),
        pytest.param("»null\n", "the file is empty", id="null"),
    ],
)  # fmt: skip
def test_what_a_spec_cannot_be_is_refused_at_its_place(path: Path, marked: str, gist: str) -> None:
    refuses(path, marked, gist)


def test_all_unreadable_values_of_a_file_are_reported_at_once(path: Path) -> None:
    marked = "a: »1e-3\nb: {c: »no, d: [1, »10:30]}\n»a: 2\nd: »!!str x\n"
    refuses(path, marked, "1.0e-3", "true or false", "base 60", "duplicate key 'a'", "!!str")


def test_unreadable_values_do_not_hide_what_validation_finds(toy: Folder) -> None:
    toy.refuses(
        ("lr: 0.05, mom", "lr: »5e-2, mom"),
        ("epochs: 3\n", "»epochz: 3\n"),
        ("  base:\n    dataset", "  base:\n    »dataset"),
        because=["missing key 'epochs'", "write 5.0e-2", "unknown key 'epochz'; did you mean 'epochs'?"],
    )


def test_a_value_that_could_not_be_read_is_reported_once(toy: Folder) -> None:
    toy.refuses(("kind: sgd", "kind: »no"), because="YAML reads 'no'")


def test_line_ends_of_windows_and_a_byte_order_mark_change_nothing(toy: Folder) -> None:
    plain = toy.load()
    toy.study.write_bytes(b"\xef\xbb\xbf" + STUDY.replace("\n", "\r\n").encode())
    assert load_study(toy.study).tiers["full"].spec == plain.tiers["full"].spec


def test_places_are_right_with_windows_line_ends_and_a_byte_order_mark(toy: Folder) -> None:
    marked = edited(STUDY, ("epochs: 3\n", "epochs: »0\n"), ("schema: 1", "»schemo: 1"))
    text = marked.replace("»", "").replace("\n", "\r\n").encode()
    toy.study.write_bytes(b"\xef\xbb\xbf" + text)
    with pytest.raises(SpecError) as caught:
        load_study(toy.study)
    assert {(p.line, p.column) for p in caught.value.problems} == {(1, 1), (15, 13)}


def test_columns_count_characters_and_not_bytes(path: Path) -> None:
    refuses(path, "é: {ü: »1e5}\n", "1.0e+5")


def test_an_alias_bomb_is_refused_before_it_grows(path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    path.write_text("\n".join(lines))
    start = time.monotonic()
    with pytest.raises(SpecError, match="grows past 30000 values through its aliases"):
        specfile.load(path)
    assert time.monotonic() - start < 5


def test_a_merge_bomb_is_refused_before_it_grows(path: Path) -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}], y: 1}}" for n in range(1, 12)]
    path.write_text("\n".join(lines))
    with pytest.raises(SpecError, match="grows past 30000 values through its aliases"):
        specfile.load(path)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_at_the_level_that_is_too_deep(path: Path, opening: str) -> None:
    path.write_text(opening * 100_000 if opening != "{a: " else opening * 50_000)
    with pytest.raises(SpecError, match=r"file\.yaml:1:\d+: nested deeper than 32 levels"):
        specfile.load(path)


def test_nesting_up_to_the_limit_is_read(path: Path) -> None:
    path.write_text("a: " + "[" * (specfile.MAX_DEPTH - 1) + "]" * (specfile.MAX_DEPTH - 1))
    assert specfile.load(path)["a"]


def test_a_file_that_is_not_utf8_is_refused_at_the_byte(path: Path) -> None:
    path.write_bytes("a: 1\né: ".encode() + b"caf\xe9\n")
    with pytest.raises(SpecError, match=r"file\.yaml:2:7: not UTF-8 \(byte 0xe9\); save it as UTF-8"):
        specfile.load(path)


def test_a_utf16_file_is_refused(path: Path) -> None:
    path.write_bytes("a: 1\n".encode("utf-16"))
    with pytest.raises(SpecError, match=r":1:1: not UTF-8"):
        specfile.load(path)


def test_a_missing_file_a_directory_and_a_pipe_are_refused_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for name, gist in (("none.yaml", "no such file"), (".", "is a directory"), ("pipe.yaml", "not a regular file")):
        with pytest.raises(SpecError, match=gist) as caught:
            specfile.load(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")


@pytest.mark.parametrize("name", ["C:\\specs\\toy.yaml", "x" * 5000, "nul\0byte", "é/ü.yaml", "link.yaml/x"])
def test_an_impossible_path_is_refused_and_not_a_traceback(tmp_path: Path, name: str) -> None:
    (tmp_path / "link.yaml").symlink_to(tmp_path / "link.yaml")
    with pytest.raises(SpecError):
        specfile.load(tmp_path / name)


def test_a_file_without_permission_is_refused(path: Path) -> None:
    path.write_text("a: 1")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(SpecError, match="cannot be read: Permission denied"):
        specfile.load(path)


def test_a_huge_file_is_refused_unread(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(SpecError, match="is larger than 256 KiB; a spec is a few pages"):
        specfile.load(path)


def test_a_file_of_too_many_values_is_refused_in_bounded_time(path: Path) -> None:
    path.write_text("a: [" + "1," * ((specfile.MAX_BYTES - 10) // 2) + "]")
    start = time.monotonic()
    with pytest.raises(SpecError, match="more than 30000 values"):
        specfile.load(path)
    assert time.monotonic() - start < 30


def test_merge_keys_fill_in_what_is_not_given(path: Path) -> None:
    path.write_text("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 5}\n")
    merged = specfile.load(path)["c"]
    assert merged == {"x": 5, "y": 2, "z": 4}  # its own first, then the first named
    assert merged.position == (3, 4)
    assert [merged.value_positions[key] for key in "xyz"] == [(3, 22), (1, 17), (2, 17)]
