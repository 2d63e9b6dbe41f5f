"""What keeps a study from being trained here: data, label files or packages that are not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lnbench.data.label_files import LabelFiles
from lnbench.data.root import data_root, states_of
from lnbench.errors import LnbenchError
from lnbench.identity import canonical_json
from lnbench.noise.law import demand_labels, label_source
from lnbench.plan import missing_packages
from lnbench.spec import Study, data_of


@dataclass
class Machine:
    """Where the data lie. `has_all`: as if everything were there, for a plan that is carried out elsewhere."""

    data_dir: Path | None = None
    has_all: bool = False
    _data: dict[str, str] = field(default_factory=dict)  # data set -> what is wrong with it
    _labels: dict[str, str] = field(default_factory=dict)

    def obstacle(self, study: Study) -> str:
        """Return the first thing that a study lacks, with what mends it; "" where nothing is in the way."""
        if self.has_all:
            return ""
        lines = [self._dataset(one) for cell in study.cells for one in data_of(cell.recipe)]
        lines += self._label_files(study)
        lines += [line.partition(" needs ")[2] or line for line in missing_packages(study)]
        return next((line for line in lines if line), "")

    def _dataset(self, dataset: dict[str, Any]) -> str:
        key, name = canonical_json(dataset), dataset["name"]
        if key not in self._data:
            (state,) = states_of(data_root(self.data_dir), [dataset])
            words = f"{name} is {state.state if state.state != 'missing' else 'not here'}"
            self._data[key] = "" if state.usable else f"{words}: {state.by_hand or f'lnbench data fetch {name}'}"
        return self._data[key]

    def _label_files(self, study: Study) -> list[str]:
        """Return what is wrong with the files of labels that a study's noise reads."""
        files = LabelFiles(self.data_dir, study.label_files)
        found = []
        for cell in study.cells:
            named = label_source(cell.recipe.identity())
            if named is None:
                continue
            dataset, noise = named
            key = canonical_json([noise, dataset, *sorted(study.label_files.items())])
            if key not in self._labels:
                self._labels[key] = ""
                try:
                    demand_labels(noise, dataset, files)
                except LnbenchError as error:
                    self._labels[key] = str(error)
            found.append(self._labels[key])
        return found


def datasets_of(study: Study) -> list[str]:
    """Return the data sets that a study at a tier reads, in order of name."""
    return sorted({name for cell in study.cells for name in cell.recipe.datasets})
