"""A data set in image files on a device: only its labels lie there; images come batch by batch (`file_images.py`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from lnbench.data.decoding import Decoders, processes_wanted
from lnbench.data.image_folder import FolderData
from lnbench.data.images import AnyData
from lnbench.errors import DataError
from lnbench.noise.law import LabelNoise
from lnbench.training.batches import Batch, DeviceData
from lnbench.training.file_images import FileImages, Later, ahead
from lnbench.training.pictures import Pictures


class FolderOnDevice(DeviceData):
    """Image files for every run that trains on them. `processes`: how many decode; `processes_wanted` says it else."""

    def __init__(self, data: FolderData, device: torch.device, processes: int | None = None):
        self.data, self.device = data, device
        self.scale, self.classes, self.shape = data.scale, data.classes, data.shape
        decoders = Decoders(processes_wanted(device.type) if processes is None else processes)
        self.decoders, size = decoders, data.shape[1]
        files = self.images = FileImages(data.train_file, size, device, decoders)
        self.test_images = FileImages(data.test_file, size, device, decoders)
        self.labels = torch.from_numpy(data.train_labels.astype(np.int64)).to(device)
        self.files = files
        self.test_labels = torch.from_numpy(data.test_labels.astype(np.int64)).to(device)

    def pictures_of(self, noise: LabelNoise) -> Pictures | FileImages:
        """Return the images of the files. Raises DataError for a noise that shows others."""
        if getattr(noise, "foreign", 0):
            raise DataError(f"{self.data.name}: its images are files, and this noise shows others among them")
        return self.files

    def later(self, image: torch.Tensor, shift: torch.Tensor | None) -> Later:
        return self.files.later(image, shift)

    def ahead(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        found: Iterator[Batch] = ahead(batches)
        return found


def on_device(data: AnyData | DeviceData, device: torch.device | str = "cpu") -> DeviceData:
    """Return a data set on a device; one that is there already stays as it is."""
    if isinstance(data, DeviceData):
        return data
    place = torch.device(device)
    return FolderOnDevice(data, place) if isinstance(data, FolderData) else DeviceData(data, place)
