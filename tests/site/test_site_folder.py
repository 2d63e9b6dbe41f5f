"""The folder of a site: whole or as it was, and never anybody else's files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lnbench.errors import LnbenchError
from lnbench.site import write_site
from lnbench.site.folder import LIST

FILES = {"index.html": b"<p>one", "claims/a.html": b"<p>a", ".nojekyll": b""}


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the list of the site."""
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return {name: found for name, found in files.items() if name != LIST}


def test_a_site_is_written_into_a_new_or_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "new/er", tmp_path / "empty"):
        write_site(FILES, place)
        assert content(place) == FILES
    assert sorted(os.listdir(tmp_path)) == ["empty", "new"]  # nothing is left beside it
    assert (tmp_path / "new/er").stat().st_mode & 0o777 == (tmp_path / "new").stat().st_mode & 0o777


def test_a_later_site_replaces_it_and_leaves_no_page_of_it(tmp_path: Path) -> None:
    write_site(FILES, tmp_path / "site")
    write_site({"index.html": b"<p>two"}, tmp_path / "site")
    assert content(tmp_path / "site") == {"index.html": b"<p>two"}


@pytest.mark.parametrize("name", ["notes.txt", "claims/mine.html", ".git/config"])
def test_a_folder_with_a_file_of_somebody_else_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    foreign = tmp_path / "foreign"
    (foreign / name).parent.mkdir(parents=True)
    (foreign / name).write_text("mine")
    with pytest.raises(LnbenchError, match=f"is not a site of lnbench: {name}; nothing was written"):
        write_site(FILES, foreign)
    assert content(foreign) == {name: b"mine"}

    own = tmp_path / "own"
    write_site(FILES, own)
    (own / name).parent.mkdir(parents=True, exist_ok=True)
    (own / name).write_text("mine")
    with pytest.raises(LnbenchError, match=f"holds what is not of its site: {name}"):
        write_site({"index.html": b"<p>two"}, own)
    assert content(own) == {**FILES, name: b"mine"}


def test_what_is_no_folder_for_a_site_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LnbenchError, match="is a file; give a folder"):
        write_site(FILES, tmp_path / "file")
    with pytest.raises(LnbenchError, match="cannot be written"):
        write_site(FILES, tmp_path / "file" / "below")
    (tmp_path / "outer/inner").mkdir(parents=True)
    with pytest.raises(LnbenchError, match="holds folders that are not of a site"):
        write_site(FILES, tmp_path / "outer")
    monkeypatch.chdir(tmp_path / "outer/inner")
    with pytest.raises(LnbenchError, match="you are in this folder"):
        write_site(FILES, Path("."))
    assert sorted(os.listdir(tmp_path)) == ["file", "outer"]


def test_a_site_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_site(FILES, tmp_path / "site")
    rename = os.rename

    def full_disk(old: str | Path, new: str | Path) -> None:
        if Path(old).name == "new":
            raise OSError(28, "No space left on device")
        rename(old, new)

    monkeypatch.setattr(os, "rename", full_disk)
    with pytest.raises(LnbenchError, match="site: cannot be written: No space left on device"):
        write_site({"index.html": b"<p>two"}, tmp_path / "site")
    assert content(tmp_path / "site") == FILES
    assert os.listdir(tmp_path) == ["site"]


def test_an_edited_list_names_no_file_of_somebody_else(tmp_path: Path) -> None:
    write_site(FILES, tmp_path / "site")
    for text in ("[]", "{", '{"schema": 2, "files": ["index.html"]}', '{"schema": 1, "files": 3}'):
        (tmp_path / "site" / LIST).write_text(text)
        with pytest.raises(LnbenchError, match="is not a site of lnbench"):
            write_site(FILES, tmp_path / "site")
    assert content(tmp_path / "site") == FILES
