"""The ETH report's figures as they stand in `baselines/eth2022.yaml`: every value, typed a second time, and what is
known of them from elsewhere: the gaps, the best batch sizes and the orders that are said of them in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench import catalog
from lnbench.spec import Reference, load_baseline

ROOT = Path(__file__).parents[2]
SIZES = (16, 32, 64, 128, 256, 512)
NOISES = {"clean": None, "noise20": 0.2, "noise50": 0.5}

# validation accuracy at the end by batch size, in thousandths; behind a stroke the highest point; "-" has no curve
ACCURACY = {
    "fig4a/one-cycle-clean": "695 813 875 941 928 930",
    "fig4b/one-cycle-noise20": "610 742 840 884 874 806/828",
    "fig4c/one-cycle-noise50": "408 574 725 826 801/807 583/755",
    "fig5a/cosine-clean": "588 716 834 895 911 920",
    "fig5b/cosine-noise20": "520 613 736 842 850 799/842",
    "fig5c/cosine-noise50": "367 404 555 734 783 567/723",
    "fig6a/constant-clean": "635 704 793 834 856 836/875",
    "fig6b/constant-noise20": "577 679 740 808 817 771/820",
    "fig6c/constant-noise50": "362 586 661 723/731 717/756 689/722",
    "fig15a/one-cycle-clean": "102 096 - 899 945 949",
    "fig15b/one-cycle-noise20": "102 731 900 928 937 925",
    "fig15c/one-cycle-noise50": "100 100 807 916 924 894/905",
}
# cosine of a batch's gradient with that of its clean members
COSINE = {
    "fig7a/one-cycle-noise20 step1500": "758 904 919 943 947 964",
    "fig7a/one-cycle-noise20 step5000": "862 902 844 820 663 671",
    "fig7a/one-cycle-noise20 end": "834 849 797 675 435 630",
    "fig7b/one-cycle-noise50 step5000": "715 693 742 709 625 601",
    "fig7b/one-cycle-noise50 end": "701 742 749 608 381 569",
    "fig8a/cosine-noise20 step5000": "868 900 836 802 642 618",
    "fig8a/cosine-noise20 end": "848 852 828 724 522 589",
    "fig8b/cosine-noise50 step5000": "639 681 739 709 581 581",
    "fig8b/cosine-noise50 end": "705 704 731 680 461 557",
    "fig9a/constant-noise20 step5000": "898 914 922 939 931 903",
    "fig9a/constant-noise20 end": "881 899 922 914 890 901",
    "fig9b/constant-noise50 step5000": "676 736 782 846 861 791",
    "fig9b/constant-noise50 end": "793 820 831 813 790 779",
    "fig16a/one-cycle-noise20 end": "900 813 875 870 805 703",
    "fig16b/one-cycle-noise50 end": "694 754 704 761 721 587",
}
# accuracy on a batch's noisy images against the label they were given; behind a stroke the last point
NOISY = {
    "fig10a/one-cycle-noise20": "054 039 027 050 191 423/509",
    "fig10b/one-cycle-noise50": "068 047 033 041 110 301/378",
    "fig11a/cosine-noise20": "059 051 045 036 160 445/507",
    "fig11b/cosine-noise50": "064 074 049 045 070 280/339",
    "fig12a/constant-noise20": "042 049 033 028 062 113/123",
    "fig12b/constant-noise50": "064 047 038 036 049 068/074",
    "fig17a/one-cycle-noise20": "120 034 014 011 015 042",
    "fig17b/one-cycle-noise50": "108 098 019 013 020 035",
}
# validation accuracy of batch 64 at rates .1 and .05, then of batch 128
RATIOS = {
    "fig13a/one-cycle-clean": "938 936 941 942",
    "fig13b/one-cycle-noise20": "898 880 835 826",
    "fig13c/one-cycle-noise50": "834 795 643 568",
    "fig14a/constant-clean": "811 858 833 863",
    "fig14b/constant-noise20": "743 811 798 -",
    "fig14c/constant-noise50": "654 738 708 736",
}
PAIRS = ("bs64-lr0.1", "bs64-lr0.05", "bs128-lr0.1", "bs128-lr0.05")
SETTINGS = {
    "table1/maximum-learning-rate": "0.1", "table1/maximum-epochs": "64", "table1/momentum": "0.9",
    "table1/scheduling-steps": "5000", "table1/validation-fraction": "0.2", "table1/weight-decay": "0.0005",
    "fig13/ratio-bs64-lr0.1": "640.0", "fig13/ratio-bs64-lr0.05": "1280.0",
    "fig13/ratio-bs128-lr0.1": "1280.0", "fig13/ratio-bs128-lr0.05": "2560.0",
}  # fmt: skip


def typed() -> dict[str, tuple[str, str]]:
    """Return (metric, the number as it must be printed) for every value that is read off Figures 4 to 17."""
    found: dict[str, tuple[str, str]] = {}
    for series, row in ACCURACY.items():
        for size, cell in zip(SIZES, row.split(), strict=True):
            last, _, highest = cell.partition("/")
            if last != "-":
                found[f"{series}-bs{size}"] = ("validation_accuracy", f"0.{last}")
            if highest:
                found[f"{series}-bs{size}-max"] = ("validation_accuracy", f"0.{highest}")
    for series, row in COSINE.items():
        name, _, when = series.partition(" ")
        for size, cell in zip(SIZES, row.split(), strict=True):
            part = "last_tenth" if when == "end" and (size < 512 or name.startswith("fig16")) else when
            metric = f"batch_clean_cosine_{part.replace('step', 'step_')}"
            found[f"{name}-bs{size}-{part.replace('_', '-')}"] = (metric, f"0.{cell}")
    for series, row in NOISY.items():
        for size, cell in zip(SIZES, row.split(), strict=True):
            mean, _, last = cell.partition("/")
            found[f"{series}-bs{size}"] = ("noisy_member_accuracy_last_tenth", f"0.{mean}")
            if last:
                found[f"{series}-bs{size}-end"] = ("noisy_member_accuracy_end", f"0.{last}")
    for series, row in RATIOS.items():
        for pair, cell in zip(PAIRS, row.split(), strict=True):
            if cell != "-":
                found[f"{series}-{pair}"] = ("validation_accuracy", f"0.{cell}")
    return found


@pytest.fixture(scope="module")
def references() -> dict[str, Reference]:
    return load_baseline(ROOT / "baselines" / "eth2022.yaml").references


@pytest.fixture(scope="module")
def values(references: dict[str, Reference]) -> dict[str, float]:
    return {name: number.value for name, one in references.items() if (number := one.number()) is not None}


def series(values: dict[str, float], name: str, tail: str = "") -> dict[int, float]:
    """Return the values of one panel by batch size."""
    return {size: values[f"{name}-bs{size}{tail}"] for size in SIZES}


def test_there_is_nothing_but_what_is_typed_here(references: dict[str, Reference]) -> None:
    shown = {name for name in references if name.startswith("fig3")}
    assert len(shown) == 12  # each is held against the schedule itself in tests/training/test_schedules.py
    assert set(references) == set(typed()) | set(SETTINGS) | shown
    counted = {
        kind: sum(metric.startswith(kind) for metric, _ in typed().values()) for kind in ("val", "batch", "noisy")
    }
    assert counted == {"val": 64 + 23 + 18, "batch": 78 + 12, "noisy": 42 + 12}


@pytest.mark.parametrize("name", typed())
def test_each_value_is_as_read(name: str, references: dict[str, Reference]) -> None:
    one, (metric, printed) = references[name], typed()[name]
    assert (one.metric, one.printed) == (metric, printed)
    assert (one.source, one.relation, one.spread, one.n) == ("digitised", "about", "none", "unknown")
    assert one.note is not None and one.reading_error is not None
    figure, _, rest = name.partition("/")
    assert one.where.figure == figure.removeprefix("fig") and one.where.caption is False
    schedule, noise, size, *_ = rest.replace("one-cycle", "one_cycle").split("-")
    assert one.protocol["batch_size"] == size.removeprefix("bs")
    assert one.protocol["schedule"].startswith({"one_cycle": "one-cycle", "constant": "none"}.get(schedule, schedule))
    level = NOISES[noise]
    assert one.estimand.level == level and one.estimand.true_class is (None if level is None else True)
    assert one.estimand.noise == ("none" if level is None else "replace_count")
    appendix = figure[3:5] in ("15", "16", "17")
    assert one.estimand.dataset == one.protocol["dataset"] == ("fashion_mnist" if appendix else "cifar10")
    assert one.where.appendix == ("A" if appendix else None)
    if "lr0" in name:
        assert one.protocol["learning_rate"] == name.rpartition("lr")[2]


def test_a_mean_is_known_less_exactly_than_a_point(references: dict[str, Reference]) -> None:
    errors = {name: one.reading_error for name, one in references.items() if one.source == "digitised"}
    for name, error in errors.items():
        steady = name.startswith(("fig6", "fig14")) and not name.endswith("max")
        mean = references[name].metric.endswith(("_step_1500", "_step_5000", "_last_tenth"))
        assert error == (0.02 if steady else 0.015 if mean else 0.003), name


def test_which_epoch_is_meant(references: dict[str, Reference]) -> None:
    for name, (metric, _) in typed().items():
        one = references[name].estimand
        if metric != "validation_accuracy":
            split = "train" if metric.startswith("noisy") else None
            assert (one.selection, one.epochs, one.split) == (None, None, split), name
            continue
        means = {"fig6": (60, 64), "fig1": (74, 80)}.get(name[:4]) if name.startswith(("fig6", "fig14")) else None
        if name.endswith("-max"):
            assert (one.selection, one.epochs) == ("best_validation", None), name
        elif name == "fig4a/one-cycle-clean-bs128":
            assert (one.selection, one.epochs) == (None, 80)
        else:
            assert (one.selection, one.epochs) == ((None, means) if means else ("last_epoch", None)), name
        assert one.split == "validation", name


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_as_printed(name: str, references: dict[str, Reference], values: dict[str, float]) -> None:
    one = references[name]
    assert one.printed == SETTINGS[name] and one.source == ("table" if name.startswith("table1") else "text")
    if "ratio" in name:
        assert values[name] == pytest.approx(float(one.protocol["batch_size"]) / float(one.protocol["learning_rate"]))


# ---- what is said of the values in words


@pytest.mark.parametrize(
    ("higher", "lower", "points"),
    [
        ("fig4b/one-cycle-noise20-bs128", "fig4b/one-cycle-noise20-bs512", 7.8),
        ("fig5b/cosine-noise20-bs256", "fig5b/cosine-noise20-bs512", 5.1),
        ("fig10a/one-cycle-noise20-bs512", "fig10a/one-cycle-noise20-bs64", 39.6),
        ("fig10b/one-cycle-noise50-bs512", "fig10b/one-cycle-noise50-bs64", 26.8),
        ("fig11a/cosine-noise20-bs512", "fig11a/cosine-noise20-bs64", 40.0),
        ("fig11b/cosine-noise50-bs512", "fig11b/cosine-noise50-bs64", 23.1),
    ],
)
def test_the_gaps_between_batch_sizes(values: dict[str, float], higher: str, lower: str, points: float) -> None:
    assert 100 * (values[higher] - values[lower]) == pytest.approx(points, abs=0.01)


@pytest.mark.parametrize(
    ("panel", "best"),
    [
        ("fig4b/one-cycle-noise20", 128),
        ("fig4c/one-cycle-noise50", 128),
        ("fig5a/cosine-clean", 512),
        ("fig5b/cosine-noise20", 256),
        ("fig5c/cosine-noise50", 256),
        ("fig6b/constant-noise20", 256),
        ("fig6c/constant-noise50", 128),
        ("fig15b/one-cycle-noise20", 256),
        ("fig15c/one-cycle-noise50", 256),
    ],
)
def test_the_best_batch_size(values: dict[str, float], panel: str, best: int) -> None:
    found = series(values, panel)
    assert max(found, key=lambda size: found[size]) == best


def test_without_noise_accuracy_rises_with_the_batch(values: dict[str, float]) -> None:
    """Strictly with cosine annealing; with one-cycle once the odd curve of batch 128 is left out."""
    for panel, left_out in (("fig5a/cosine-clean", ()), ("fig4a/one-cycle-clean", (128,))):
        found = [value for size, value in series(values, panel).items() if size not in left_out]
        assert found == sorted(found) and len(set(found)) == len(found)


def test_the_odd_curve_is_that_of_another_figure(references: dict[str, Reference]) -> None:
    odd, true = references["fig4a/one-cycle-clean-bs128"], references["fig13a/one-cycle-clean-bs128-lr0.1"]
    assert odd.printed == true.printed
    assert odd.estimand.epochs == 80 and odd.protocol["epochs"] == true.protocol["epochs"] == "80"
    assert odd.note is not None and odd.note.startswith("An erratum")
    assert "fig13a/one-cycle-clean-bs128-lr0.1" in odd.note


def test_early_the_cosine_rises_with_the_batch(values: dict[str, float]) -> None:
    early = [*series(values, "fig7a/one-cycle-noise20", "-step1500").values()]
    assert early == sorted(early)


def test_at_a_constant_rate_the_cosine_does_not_fall(values: dict[str, float]) -> None:
    steady = series(values, "fig9a/constant-noise20", "-step5000")
    assert (steady[16], steady[512]) == (0.898, 0.903)


def test_a_constant_rate_overfits_less(values: dict[str, float]) -> None:
    steady = series(values, "fig12a/constant-noise20")
    assert (steady[512], steady[64]) == (0.113, 0.033)
    assert steady[512] - steady[64] < values["fig10a/one-cycle-noise20-bs512"] - values["fig10a/one-cycle-noise20-bs64"]


@pytest.mark.parametrize("panel", [name for name in NOISY if name.startswith(("fig10", "fig11", "fig12"))])
def test_a_network_that_memorises_nothing_is_below_chance_on_noisy_images(values: dict[str, float], panel: str) -> None:
    """It predicts the true class, which is not the label, so it is right less often than one time in ten."""
    found = series(values, panel)
    assert all(0.02 < found[size] < 0.08 for size in (16, 32, 64, 128))
    if f"{panel}-bs512-end" in values:
        assert found[512] < values[f"{panel}-bs512-end"]  # it still rises


def test_the_higher_rate_helps_more_with_more_noise(values: dict[str, float]) -> None:
    """1.4 points at 20 % noise and 5.7 at 50 %, the mean of both batch sizes."""
    for panel, points in (("fig13b/one-cycle-noise20", 1.4), ("fig13c/one-cycle-noise50", 5.7)):
        gains = [values[f"{panel}-bs{size}-lr0.1"] - values[f"{panel}-bs{size}-lr0.05"] for size in (64, 128)]
        assert 100 * sum(gains) / 2 == pytest.approx(points, abs=0.051)


def test_small_batches_of_the_vgg_are_at_chance(values: dict[str, float]) -> None:
    for panel in ("fig15a/one-cycle-clean", "fig15b/one-cycle-noise20", "fig15c/one-cycle-noise50"):
        assert values[f"{panel}-bs16"] == pytest.approx(0.1, abs=0.005)


def test_metrics_that_runs_yield_are_named_as_in_the_catalog(references: dict[str, Reference]) -> None:
    named = {one.metric for one in references.values() if one.source == "digitised"}
    yielded = {"validation_accuracy", "batch_clean_cosine_last_tenth", "noisy_member_accuracy_last_tenth"}
    assert yielded <= named & set(catalog.names("metric"))
