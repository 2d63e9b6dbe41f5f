"""page.html needs nothing else, stays small, and says what the tables say; issues.json has the names of others."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lnbench.detect import html, issues
from lnbench.detect.copies import copies_in
from lnbench.detect.data import Labelled
from lnbench.detect.preferred import Preferred
from lnbench.detect.scoring import Scores, scored
from lnbench.detect.tables import result
from tests.toys.seen_page import Seen


def a_detection(count: int = 90, side: int = 8, classes: int = 3) -> tuple[Labelled, Scores, dict]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (count, 1, side, side)).astype(np.uint8)
    labels = np.arange(count, dtype=np.int64) % classes
    names = [f"{label}/{number:05d}.png" for number, label in enumerate(labels)]
    data = Labelled(
        images, labels, names, [f"class {n}" for n in range(classes)],
        lambda index, size: np.repeat(images[index].transpose(1, 2, 0), 3, axis=2),
    )  # fmt: skip
    wrong = np.arange(count) % 5 == 0
    probabilities = np.where(np.eye(classes)[(labels + wrong) % classes] > 0, 0.7, 0.3 / (classes - 1))
    aul = rng.normal(0, 1, (1, count)) + 9 * wrong
    scores = scored(aul.tolist(), (-aul + 4).tolist(), 10, [(0.9, 0.1)], Preferred(probabilities, labels))
    made = result("data", data, {}, {"top": 10, "folds": 3}, scores, [], [], copies_in(data))
    return data, scores, made


def test_the_page_shows_the_suspects_by_given_and_preferred_class_and_loads_nothing() -> None:
    data, scores, made = a_detection()
    text = html.page(made, data, scores).decode()
    seen = Seen(text)
    pictures = [value for tag, name, value in seen.attributes if (tag, name) == ("img", "src")]
    assert len(pictures) == scores.suspects().sum() == 18
    for address in pictures:
        kind, _, code = (address or "").partition(";base64,")
        assert kind == "data:image/png" and Image.open(io.BytesIO(base64.b64decode(code))).size == (8, 8)
    assert all(value == "lazy" for tag, name, value in seen.attributes if (tag, name) == ("img", "loading"))
    titles = re.findall(r"<h3>(.*?) <small>(\d+)</small>", text)
    assert sorted(titles) == [("class 0 → class 1", "6"), ("class 1 → class 2", "6"), ("class 2 → class 0", "6")]
    first = data.names[int(scores.order[0])]
    assert f'data-rank="1" data-aum="{scores.aum[scores.order[0]]:.6g}"' in text and first in text
    assert not {"link", "iframe", "object", "base"} & set(seen.tags)
    assert not [one for one in seen.attributes if one[1] in ("href", "action", "style") or one[1].startswith("on")]
    assert "http" not in text.replace("http-equiv", "")
    table = re.search(r"<h2>Given labels.*?</table>", text, re.S)
    assert table is not None and re.findall(r'<td class="own">(\d+)', table[0]) == ["24", "24", "24"]


def test_its_policy_lets_run_what_is_there_and_no_more() -> None:
    import hashlib

    data, scores, made = a_detection()
    text = html.page(made, data, scores).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', text)
    assert policy.startswith("default-src 'none'; img-src data:;")
    for kind in ("style", "script"):
        (inside,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_pictures_are_bounded_in_number_and_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    data, scores, made = a_detection()
    monkeypatch.setattr(html, "MOST_THUMBNAILS", 7)
    text = html.page(made, data, scores).decode()
    assert text.count("<img") == 7 and "7 of 18 images" in text
    monkeypatch.setattr(html, "MOST_BYTES", 800)
    assert 0 < html.page(made, data, scores).decode().count("<img") < 7
    large = np.random.default_rng(0).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    data_of_photographs = Labelled(
        data.images, data.labels, data.names, data.classes,
        lambda index, size: np.asarray(Image.fromarray(large).resize((size, size))),
    )  # fmt: skip
    monkeypatch.undo()
    text = html.page(made, data_of_photographs, scores).decode()
    codes = re.findall(r"data:image/jpeg;base64,([^\"]+)", text)
    assert len(codes) == 18 and Image.open(io.BytesIO(base64.b64decode(codes[0]))).size == (96, 96)
    assert len(text) < 18 * 20_000


def test_where_nothing_was_learnt_the_page_accuses_nobody() -> None:
    data, _, _ = a_detection()
    flat = Preferred(np.full((90, 3), 1 / 3), (data.labels + 1) % 3)
    scores = scored([[0.0, 1.0] * 45], [[-1.0] * 90], 10, [(0.9, 0.1)], Preferred(np.eye(3)[flat.given], data.labels))
    made = result("data", data, {}, {"top": 10, "folds": 3}, scores, [], [], copies_in(data))
    text = html.page(made, data, scores).decode()
    assert "nothing is said of any label" in text and "suspect>" not in text and "Given labels (rows)" not in text
    assert "class=suspect" not in text


def test_many_classes_give_pairs_in_place_of_a_matrix() -> None:
    data, scores, made = a_detection(count=240, classes=24)
    text = html.page(made, data, scores).decode()
    assert "the other way round" in text and 'class="own"' not in text


def test_issues_have_the_columns_of_cleanlab_and_the_fields_of_fiftyone() -> None:
    data, scores, _ = a_detection()
    found = json.loads(issues.issues_json("data", data, scores))
    assert found["root"] == "data" and found["classes"] == data.classes and len(found["samples"]) == 90
    one = found["samples"][5]
    assert one["filepath"] == data.names[5] and one["is_label_issue"] is True and one["tags"] == ["suspect"]
    assert one["given_label"] == "class 2" == one["ground_truth"]["label"]
    assert one["predicted_label"] == "class 0" == one["predictions"]["label"]
    assert one["label_quality"] == pytest.approx(0.15) and one["mistakenness"] == pytest.approx(0.85)
    assert one["predictions"]["confidence"] == pytest.approx(0.7) and one["probability_mislabeled"] > 0.99


def test_cleanlab_names_and_computes_these_alike() -> None:
    rank = pytest.importorskip("cleanlab.rank")
    data, scores, _ = a_detection()
    assert scores.preferred is not None
    theirs = rank.get_label_quality_scores(data.labels, scores.preferred.probabilities, method="self_confidence")
    ours = [one["label_quality"] for one in issues.issues("data", data, scores)["samples"]]
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_the_page_of_fifty_thousand_examples_is_small(tmp_path: Path) -> None:
    data, scores, made = a_detection(count=20_000)
    text = html.page(made, data, scores)
    assert len(text) < 1_000_000
