"""A whole detection, from labelled images to the records of its trainings; `--from-losses` has no part in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from lnbench.detect.crew import Watcher, Way, train_all
from lnbench.detect.data import Labelled, Say
from lnbench.detect.folds import FEWEST_DIFFERENT, folds_of
from lnbench.detect.options import Options, settled
from lnbench.detect.preferred import Learnt, Preferred
from lnbench.detect.runs import PROBABILITIES, DetectRun, planned, planned_folds
from lnbench.detect.scoring import Scores, scored
from lnbench.detect.training import Material, TooLarge
from lnbench.store import Record, Store

LEAST_BATCH = 8  # smaller ones are another training, and hardly smaller in the memory


class Show(Watcher, Protocol):
    """A watcher that also hears, first of all, how many trainings there are and how much of them is left."""

    def planned(self, left: list[DetectRun], total: int) -> None: ...


@dataclass(frozen=True)
class Trained:
    """The options that nothing is open of, what had to be changed in words, the records of the runs, and what networks
    prefer that did not see an image; None where there are too few different images for folds."""

    options: Options
    notes: list[str]
    records: list[Record]
    preferred: Preferred | None

    def scores(self) -> Scores:
        """Return the scores of all examples, over the runs."""
        outcomes = [record["outcome"] for record in self.records]
        ends = [(one["train_accuracy"][-1], one["train_loss"][-1]) for one in outcomes]
        auls, aums = ([one[name] for one in outcomes] for name in ("aul", "aum"))
        unknown = None if self.preferred else Learnt(None, 0.0, 1.0, f"fewer than {FEWEST_DIFFERENT} images differ")
        return scored(auls, aums, self.options.epochs or 1, ends, self.preferred, unknown)


def trained(
    data: Labelled, asked: Options, store: Store, way: Way, show: Show, stop: Callable[[], bool], say: Say
) -> Trained:
    """Train what the store lacks. A training that does not fit into the memory has all of them done with batches half
    as large, down to LEAST_BATCH images; `say` hears of it. Raises as `train_all` and `settled` do."""
    fold = folds_of(data, asked.folds, asked.seed)
    options, notes = settled(asked, data)
    halved: list[str] = []
    while True:
        runs = planned(options, data)
        folds = [] if fold is None else planned_folds(options, data, fold)
        every = [*runs, *folds]
        show.planned([run for run in every if store.get(run.id) is None], len(every))
        try:
            records = train_all(every, Material.of(data, fold), store, way, show, stop)
        except TooLarge:
            half = options.batch_size // 2
            if half < LEAST_BATCH:
                raise
            options, _ = settled(replace(asked, batch_size=half), data)
            halved = [f"batches of {options.batch_size} in place of {asked.batch_size}: larger ones do not fit"]
            say(f"{halved[0]} into the memory of {way.device}; beginning again with these")
            continue
        break
    preferred = None
    if fold is not None:
        probabilities = np.empty((len(fold), len(data.classes)), dtype=np.float32)
        for run, record in zip(folds, records[len(runs) :], strict=True):
            probabilities[fold == run.number - 1] = store.array(record, PROBABILITIES)
        preferred = Preferred(probabilities, data.labels)
    return Trained(options, halved or notes, records[: len(runs)], preferred)
