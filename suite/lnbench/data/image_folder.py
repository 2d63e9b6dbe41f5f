"""Image files in a folder for each class, and the index of them that is made once.

The index says which files there are, of which class and of how many bytes: a record has its checksum. It lies in the
data root's `.lnbench-index`, or in the cache folder where the data root cannot be written. It is made again when a file
or a folder was added, removed or renamed, which the times of the class folders show; a file that is overwritten in
place by another of equal size is found by `lnbench data check` only where it is no image any more.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from lnbench.data.arrays import opened_archive
from lnbench.data.sources import OWN_FOLDER, FolderSource
from lnbench.errors import DataError, visible

# what torchvision's ImageFolder takes for an image, in lower case
ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
SPLITS = ("train", "val")
FORMAT = 1  # of the index file
READERS = 8  # threads that look into files: opening one waits for the disk
DECODED_AT_ONCE = 1000  # files, where all are checked
INDEX = ".lnbench-index"
Report = Callable[[int, int], None]  # files that were looked into, of how many
Labels = npt.NDArray[np.int64]


class Names:
    """Many file names, held as one block of bytes: a million Python strings take ten times as much."""

    def __init__(self, block: bytes):
        self.block = block
        ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 0)
        self.starts = np.concatenate((np.zeros(1, dtype=np.int64), ends + 1))

    @staticmethod
    def of(names: list[str]) -> Names:
        return Names(b"".join(os.fsencode(name) + b"\0" for name in names))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> str:
        if not 0 <= number < len(self):
            raise IndexError(number)
        return os.fsdecode(self.block[self.starts[number] : self.starts[number + 1] - 1])


@dataclass(frozen=True)
class Files:
    """The image files of one split, class by class in the order of the classes' names, within a class by name.

    names: CLASS/FILE. labels (N,) int64: the number of each one's class. bytes (N,) int64: its size.
    """

    names: Names
    labels: Labels
    bytes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Index:
    """What is in a folder. classes: their names, in order. times: of each folder that was listed, when it changed
    last."""

    classes: tuple[str, ...]
    train: Files
    val: Files
    times: dict[str, int]

    @property
    def checksum(self) -> str:
        """Return the sha256, hex, over each file's split, class, name and size."""
        digest = hashlib.sha256(b"lnbench image folder 1\n")
        for split, files in zip(SPLITS, (self.train, self.val), strict=True):
            for name, size in zip(files.names.block.split(b"\0"), files.bytes.tolist(), strict=False):
                digest.update(b"%s/%s\0%d\n" % (split.encode(), name, size))
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class FolderData:
    """A data set in image files: what `lnbench.data.images.ImageData` is to one in memory, without the images.

    `place` is the folder with `train` and `val`; labels (N,) int64 in 0 … classes-1; `checksum`: of the listing.
    """

    source: FolderSource
    place: Path
    train_names: Names
    train_labels: Labels
    test_names: Names
    test_labels: Labels
    checksum: str
    train_bytes: npt.NDArray[np.int64]
    test_bytes: npt.NDArray[np.int64]

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def classes(self) -> int:
        return self.source.classes

    @property
    def scale(self) -> float:
        return self.source.scale

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channels, height, width) of an image as a network sees it."""
        return self.source.shape

    @property
    def train_images(self) -> NoReturn:
        raise self._in_files()

    @property
    def test_images(self) -> NoReturn:
        raise self._in_files()

    def _in_files(self) -> DataError:
        what = "its images are files that are decoded batch by batch"
        return DataError(f"{self.name}: {what}, and this needs all of them in memory; use a data set like cifar10")

    def train_file(self, number: int) -> str:
        """Return a training image's file. Raises DataError where it has another size than when it was listed."""
        return self._as_listed(self.place / SPLITS[0] / self.train_names[number], int(self.train_bytes[number]))

    def test_file(self, number: int) -> str:
        """Return a test image's file. Raises DataError as `train_file` does."""
        return self._as_listed(self.place / SPLITS[1] / self.test_names[number], int(self.test_bytes[number]))

    @staticmethod
    def _as_listed(file: Path, size: int) -> str:
        """Return a file's name, unless it was replaced: the record's checksum is of what was listed."""
        try:
            now = file.stat().st_size
        except OSError:
            return str(file)  # decoding says what is wrong with it
        if now != size:
            what = f"has {now:,} bytes, and had {size:,} when the folder was listed"
            raise DataError(f"{file}: {what}; put it back, or touch its folder so that all is listed again")
        return str(file)

    def describe(self) -> str:
        """Return one line for a log."""
        counts = f"{len(self.train_labels):,} + {len(self.test_labels):,} image files, {self.classes} classes"
        return f"{self.name} in {self.place}: {counts}, sha256 {self.checksum[:12]}"


def folder_of(source: FolderSource, root: Path) -> Path:
    """Return where a source's `train` and `val` lie."""
    return root / source.folder


def load_folder(source: FolderSource, root: Path, report: Report | None = None) -> FolderData:
    """Return the files of a source in a data root, by its index, which is made where there is none that fits.

    Raises DataError that says what is wrong and where: a split or a class that is missing, a class without images, a
    broken link, a damaged file, another number of classes or files than the source has.
    """
    place = folder_of(source, root)
    index = kept_index(source, root) or _made(source, root, report)
    counts = (("classes", len(index.classes)), ("train", len(index.train)), ("test", len(index.val)))
    for what, found in counts:
        if found != (expected := getattr(source, what)):
            raise _other_count(source, place, what, found, expected)
    parts = (index.train.names, index.train.labels, index.val.names, index.val.labels)
    return FolderData(source, place, *parts, index.checksum, index.train.bytes, index.val.bytes)


def _other_count(source: FolderSource, place: Path, what: str, found: int, expected: int) -> DataError:
    words = {"classes": "class folders", "train": "training images", "test": "images in val"}[what]
    mend = "add what is missing, or remove what is not of it"
    if source.name == OWN_FOLDER:
        mend = f"write `{what}: {found}` under dataset.folder of the study, or {mend}"
    return DataError(f"{source.name} in {place} has {found:,} {words}, not {expected:,}; {mend}")


# ---- the index file


def kept_index(source: FolderSource, root: Path) -> Index | None:
    """Return the index that was made of this folder, if the folder has not changed since; else None."""
    place = folder_of(source, root)
    for file in _index_files(source, root):
        index = _read(file)
        if index is not None and _as_it_was(place, index):
            return index
    return None


def _index_files(source: FolderSource, root: Path) -> list[Path]:
    """Return where an index may lie: beside the data, else in the cache folder."""
    name = source.folder.replace("/", "-")
    cache = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if os.path.isabs(cache) else Path("~/.cache").expanduser()
    whole = hashlib.sha256(os.fsencode(folder_of(source, root).absolute())).hexdigest()[:12]
    return [root / INDEX / f"{name}.npz", base / "lnbench" / "index" / f"{name}-{whole}.npz"]


def _read(file: Path) -> Index | None:
    try:
        with opened_archive(file, str(file)) as archive:
            about = json.loads(archive.read("about").tobytes())
            if about["format"] != FORMAT:
                return None
            found = {
                split: Files(
                    Names(archive.read(f"{split}_names").tobytes()),
                    archive.read(f"{split}_labels").astype(np.int64),
                    archive.read(f"{split}_bytes").astype(np.int64),
                )
                for split in SPLITS
            }
        whole = all(len(files.names) == len(files.labels) == len(files.bytes) for files in found.values())
        times = {str(path): int(time) for path, time in about["times"].items()}
        return Index(tuple(about["classes"]), found["train"], found["val"], times) if whole else None
    except (DataError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not there, or damaged: it is made again


def _as_it_was(place: Path, index: Index) -> bool:
    try:
        return all((place / path).stat().st_mtime_ns == time for path, time in index.times.items())
    except OSError:
        return False


def _made(source: FolderSource, root: Path, report: Report | None) -> Index:
    """Make the index and keep it where that can be."""
    index = made_index(source, folder_of(source, root), report)
    about = {"format": FORMAT, "classes": index.classes, "times": index.times}
    arrays: dict[str, Any] = {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
    for split, files in zip(SPLITS, (index.train, index.val), strict=True):
        arrays[f"{split}_names"] = np.frombuffer(files.names.block, dtype=np.uint8)
        arrays[f"{split}_labels"], arrays[f"{split}_bytes"] = files.labels, files.bytes
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    for file in _index_files(source, root):
        try:
            _write(file, buffer.getvalue())
        except OSError:
            continue
        break
    return index


def _write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=file.name, dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as part:
            part.write(data)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


# ---- what is in a folder


def missing_split(source: FolderSource, root: Path) -> list[str]:
    """Return the splits whose folder is not there."""
    place = folder_of(source, root)
    return [split for split in SPLITS if not (place / split).is_dir()]


def made_index(source: FolderSource, place: Path, report: Report | None = None) -> Index:
    """List a folder and look into each file's header. Raises DataError as `load_folder` does."""
    listed = {split: _classes(place / split, source) for split in SPLITS}
    _same_classes(listed["train"], listed["val"], place, source)
    times = {split: _time(place / split) for split in SPLITS}
    done, total = 0, source.train + source.test
    found = {}
    for split in SPLITS:
        names: list[str] = []
        sizes: list[int] = []
        labels = []
        with ThreadPoolExecutor(READERS) as pool:
            folders = [place / split / name for name in listed[split]]
            times |= {f"{split}/{folder.name}": _time(folder) for folder in folders}
            for number, (folder, files) in enumerate(zip(folders, pool.map(_looked_into, folders), strict=True)):
                names += [f"{folder.name}/{name}" for name, _ in files]
                sizes += [size for _, size in files]
                labels.append(np.full(len(files), number, dtype=np.int64))
                done += len(files)
                if report:
                    report(done, max(done, total))
        found[split] = Files(Names.of(names), np.concatenate(labels), np.array(sizes, dtype=np.int64))
    return Index(tuple(listed["train"]), found["train"], found["val"], times)


def _time(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}); mend it") from None


def _classes(folder: Path, source: FolderSource) -> list[str]:
    """Return the names of the class folders of a split, rising."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and _is_folder(entry))
    except OSError as error:
        hint = "there must be a folder `train` and a folder `val`, with a folder for each class"
        raise DataError(f"{folder}: cannot be read ({error.strerror}); {hint}") from None
    if len(names) < 2:
        what = f"has {f'one class only, {names[0]}' if names else 'no class folders'}"
        raise DataError(f"{source.name}: {folder} {what}; put the images of each class into a folder of its own there")
    return names


def _is_folder(entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink() and not os.path.exists(entry.path):
        raise DataError(f"{entry.path}: is a broken link, to {os.readlink(entry.path)}; mend or remove it")
    return entry.is_dir()


def _same_classes(train: list[str], val: list[str], place: Path, source: FolderSource) -> None:
    """Raises DataError where a class is in one split only."""
    for own, other, split in ((train, val, "val"), (val, train, "train")):
        if absent := sorted(set(own) - set(other)):
            more = f" and {len(absent) - 1:,} more" if len(absent) > 1 else ""
            what = f"the class {visible(absent[0])}{more} is missing from {place / split}"
            raise DataError(f"{source.name}: {what}; both splits need a folder for every class")


def _looked_into(folder: Path) -> list[tuple[str, int]]:
    """Return (name, bytes) of the image files of a class, by name. Raises DataError where one is no image."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.lower().endswith(ENDINGS))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}); mend it") from None
    names = [name for name in names if not name.startswith(".")]
    if not names:
        raise DataError(f"{folder}: has no images ({', '.join(ENDINGS[:3])}, …); add some, or remove the class")
    return [(name, _size(folder / name)) for name in names]


def _size(file: Path) -> int:
    """Return an image file's size in bytes. Raises DataError where it is no image, by its header."""
    from lnbench.data.decoding import opened

    try:
        size = file.stat().st_size
    except OSError as error:
        if file.is_symlink():
            raise DataError(f"{file}: is a broken link, to {os.readlink(file)}; mend or remove it") from None
        raise DataError(f"{file}: cannot be read ({error.strerror}); mend or remove it") from None
    with opened(str(file)):
        return size


def demand_whole(source: FolderSource, root: Path) -> None:
    """List a folder again and decode every file of it. Raises DataError for the first that is damaged."""
    from lnbench.data.decoding import decoded

    made = _made(source, root, None)
    place = folder_of(source, root)
    for split, files in zip(SPLITS, (made.train, made.val), strict=True):
        with ThreadPoolExecutor(READERS) as pool:  # PIL decodes outside of Python's lock
            for start in range(0, len(files), DECODED_AT_ONCE):
                numbers = range(start, min(start + DECODED_AT_ONCE, len(files)))
                paths = [str(place / split / files.names[number]) for number in numbers]
                list(pool.map(lambda path: decoded(path, source.size, None).shape, paths))
    load_folder(source, root)
