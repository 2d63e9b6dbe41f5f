"""What this package adds to the catalog of lnbench. No torch here: studies are checked and priced without it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lnbench.catalog import Entry, Metric, Options, Part, with_metrics
from lnbench.data import Source

Share = Annotated[float, Field(ge=0, lt=1)]


class Mirror(Options):
    """Each label y of m classes is, with probability `rate`, m - 1 - y."""

    kind: Literal["mirror"]
    rate: Share


class Smoothing(Options):
    """Label smoothing: `amount` of each label is spread evenly over all classes (Szegedy et al. 2016, section 7)."""

    kind: Literal["smoothing"]
    amount: Share


class MedianAbove(Part):
    """The median over seeds lies above `threshold`."""

    kind: Literal["median_above"]
    threshold: float


BARS = Source(
    name="bars",
    shape=(1, 8, 8),
    classes=4,
    train=600,
    test=200,
    licence="that of lnbench-bars",
    citation="made by lnbench-bars",
)


def entries() -> list[Entry]:
    """Return one entry per name. `target` is imported when a run needs it, the options when a study is checked."""
    sureness = Metric(0, 1, "test", False, "mean probability of the class that the network names, on the test set")
    return [
        Entry("dataset", "bars", value=BARS, target="lnbench_bars.bars:read", words=BARS.describe()),
        Entry("noise", "mirror", options=Mirror, target="lnbench_bars.mirror:Mirror", words="mirrored labels"),
        Entry("method", "smoothing", options=Smoothing, target="lnbench_bars.smoothing:Smoothing", words="soft labels"),
        *with_metrics(
            Entry("probe", "sureness", target="lnbench_bars.sureness:Sureness", words="how sure the network is"),
            sureness=sureness,
        ),
        Entry("check", "median_above", part="lnbench_bars:MedianAbove", target="lnbench_bars.median:MedianAboveKind"),
    ]
