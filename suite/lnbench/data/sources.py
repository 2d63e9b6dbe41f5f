"""Which data sets there are, where they come from and how they are known to be whole.

No torch and no network here, so that ``lnbench data status`` and the planner can ask about a data set on any
machine. Folder layout, file names, mirrors and MD5s are torchvision's own (a test compares them with the
installed torchvision): a data root that lnbench fills is one that torchvision reads, and the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lnbench import catalog
from lnbench.errors import NoSuchData


@dataclass(frozen=True)
class DataFile:
    """One unpacked file of a data set: `path` relative to the data root, size in bytes, MD5 of the whole
    file.
    """

    path: str
    size: int
    md5: str


@dataclass(frozen=True)
class Archive:
    """One file to download: `path` relative to the data root, its URL is a mirror + `url_name`.

    `members` are the files that come out of it: one for a gzip file, several for a tar (named in the tar as
    in the data root).
    """

    path: str
    size: int
    md5: str
    members: tuple[DataFile, ...]

    @property
    def url_name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def is_tar(self) -> bool:
        return self.path.endswith((".tar.gz", ".tgz"))


@dataclass(frozen=True)
class Source:
    """A data set: what it holds, whose it is, and (unless it is embedded) its files.

    `shape` is (channels, height, width); `train` and `test` count images; `scale` is the pixel value that
    means 1.0. `arrays` gives the sha256 of the decoded arrays' bytes (uint8, C order, images NHW or NHWC), by
    name.
    """

    name: str
    shape: tuple[int, int, int]
    classes: int
    train: int
    test: int
    licence: str
    citation: str
    scale: float = 255.0
    torchvision: str = ""  # the torchvision.datasets class that reads it; "" for an embedded data set
    mirrors: tuple[str, ...] = ()
    archives: tuple[Archive, ...] = ()
    arrays: Mapping[str, str] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        return not self.archives

    @property
    def files(self) -> tuple[DataFile, ...]:
        return tuple(member for archive in self.archives for member in archive.members)

    @property
    def download_bytes(self) -> int:
        return sum(archive.size for archive in self.archives)

    @property
    def disk_bytes(self) -> int:
        return sum(file.size for file in self.files)

    def describe(self) -> str:
        """Return one line for a listing."""
        channels, height, width = self.shape
        size = "embedded" if self.embedded else f"{self.download_bytes / 1e6:.0f} MB to download"
        counts = f"{self.classes} classes, {self.train:,} + {self.test:,} images"
        return f"{self.name}: {counts} of {channels}x{height}x{width}, {size}"


OWN_FOLDER = "image_folder"  # the data set whose files are the user's own


@dataclass(frozen=True)
class FolderSource(Source):
    """Image files of any size, a folder for each class: DATA ROOT/`folder`/train/CLASS/FILE and …/val/CLASS/FILE.

    That is the layout of torchvision's ImageFolder and of ImageNet. Classes are numbered in the order of their names.
    The files are decoded while a run trains (`data/decoding.py`), and `shape` is what they are brought to. `origin`
    says where the files are available: lnbench does not download them. An empty `folder` stands for the one that a
    recipe names under `dataset.folder`.
    """

    folder: str = ""
    origin: str = ""

    @property
    def embedded(self) -> bool:
        return False

    @property
    def size(self) -> int:
        """Return the width and height that images are brought to, in pixels."""
        return self.shape[1]

    def of(self, dataset: Mapping[str, Any]) -> FolderSource:
        """Return the source as a recipe's `dataset` has it: its `size`, and its own `folder`."""
        size, own = dataset.get("size") or self.size, dataset.get("folder")
        about = {"folder": own["path"], **{key: own[key] for key in ("classes", "train", "test")}} if own else {}
        return replace(self, shape=(self.shape[0], size, size), **about)

    def describe(self) -> str:
        """Return one line for a listing."""
        if not self.folder:
            return f"{self.name}: image files of your own, in PATH/train/CLASS and PATH/val/CLASS; see docs/training.md"
        return f"{self.name}: {self.classes:,} classes, {self.train:,} + {self.test:,} image files, not downloaded"


def _gz(folder: str, name: str, size: int, md5: str, raw_size: int, raw_md5: str) -> Archive:
    path = f"{folder}/raw/{name}"
    return Archive(f"{path}.gz", size, md5, (DataFile(path, raw_size, raw_md5),))


# fmt: off
MNIST = Source(
    name="mnist",
    shape=(1, 28, 28),
    classes=10,
    train=60_000,
    test=10_000,
    licence="commonly given as CC BY-SA 3.0 (the original site has no licence text)",
    citation="LeCun, Cortes & Burges, The MNIST database of handwritten digits, 1998",
    torchvision="MNIST",
    mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
    archives=(
        _gz("MNIST", "train-images-idx3-ubyte", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
        _gz("MNIST", "train-labels-idx1-ubyte", 28_881, "d53e105ee54ea40749a09fcbcd1e9432",
            60_008, "a25bea736e30d166cdddb491f175f624"),
        _gz("MNIST", "t10k-images-idx3-ubyte", 1_648_877, "9fb629c4189551a2d022fa330f9573f3",
            7_840_016, "2646ac647ad5339dbf082846283269ea"),
        _gz("MNIST", "t10k-labels-idx1-ubyte", 4_542, "ec29112dd5afa0611ce80d1b7f02629c",
            10_008, "27ae3e4e09519cfbb04c329615203637"),
    ),
    arrays={
        "train_images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "train_labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "test_images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "test_labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
)

FASHION_MNIST = Source(
    name="fashion_mnist",
    shape=(1, 28, 28),
    classes=10,
    train=60_000,
    test=10_000,
    licence="MIT",
    citation="Xiao, Rasul & Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning "
    "algorithms, 2017",
    torchvision="FashionMNIST",
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    archives=(
        _gz("FashionMNIST", "train-images-idx3-ubyte", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        _gz("FashionMNIST", "train-labels-idx1-ubyte", 29_515, "25c81989df183df01b3e8a0aad5dffbe",
            60_008, "9018921c3c673c538a1fc5bad174d6f9"),
        _gz("FashionMNIST", "t10k-images-idx3-ubyte", 4_422_102, "bef4ecab320f06d8554ea6380940ec79",
            7_840_016, "8181f5470baa50b63fa0f6fddb340f0a"),
        _gz("FashionMNIST", "t10k-labels-idx1-ubyte", 5_148, "bb300cfdad3c16e7a12a480ee83cd310",
            10_008, "15d484375f8d13e6eb1aabb0c3f46965"),
    ),
    arrays={
        "train_images": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "train_labels": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "test_images": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "test_labels": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    },
)

# The same files, each image enlarged when it is read (`readers.resized`). What comes of that has no published checksum:
# the reader compares every file instead.
FASHION_MNIST_32 = replace(
    FASHION_MNIST,
    name="fashion_mnist_32",
    shape=(1, 32, 32),
    arrays={name: digest for name, digest in FASHION_MNIST.arrays.items() if name.endswith("labels")},
)

_KRIZHEVSKY = "Krizhevsky, Learning multiple layers of features from tiny images, technical report, 2009"
_NO_LICENCE = "none stated; the author asks for the technical report to be cited"

CIFAR10 = Source(
    name="cifar10",
    shape=(3, 32, 32),
    classes=10,
    train=50_000,
    test=10_000,
    licence=_NO_LICENCE,
    citation=_KRIZHEVSKY,
    torchvision="CIFAR10",
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    archives=(
        Archive("cifar-10-python.tar.gz", 170_498_071, "c58f30108f718f92721af3b95e74349a", (
            DataFile("cifar-10-batches-py/data_batch_1", 31_035_704, "c99cafc152244af753f735de768cd75f"),
            DataFile("cifar-10-batches-py/data_batch_2", 31_035_320, "d4bba439e000b95fd0a9bffe97cbabec"),
            DataFile("cifar-10-batches-py/data_batch_3", 31_035_999, "54ebc095f3ab1f0389bbae665268c751"),
            DataFile("cifar-10-batches-py/data_batch_4", 31_035_696, "634d18415352ddfa80567beed471001a"),
            DataFile("cifar-10-batches-py/data_batch_5", 31_035_623, "482c414d41f54cd18b22e5b47cb7c3cb"),
            DataFile("cifar-10-batches-py/test_batch", 31_035_526, "40351d587109b95175f43aff81a1287e"),
            DataFile("cifar-10-batches-py/batches.meta", 158, "5ff9c542aee3614f3951f8cda6e48888"),
        )),
    ),
    arrays={
        "train_images": "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
        "train_labels": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "test_images": "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
        "test_labels": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
    },
)

CIFAR100 = Source(
    name="cifar100",
    shape=(3, 32, 32),
    classes=100,
    train=50_000,
    test=10_000,
    licence=_NO_LICENCE,
    citation=_KRIZHEVSKY,
    torchvision="CIFAR100",
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    archives=(
        Archive("cifar-100-python.tar.gz", 169_001_437, "eb9058c3a382ffc7106e4002c42a8d85", (
            DataFile("cifar-100-python/train", 155_249_918, "16019d7e3df5f24257cddd939b257f8d"),
            DataFile("cifar-100-python/test", 31_049_707, "f0ef6b0ae62326f3e7ffdfab6717acfc"),
            DataFile("cifar-100-python/meta", 1_473, "7973b15100ade9c7d40fb424638fde48"),
        )),
    ),
    arrays={
        "train_images": "4e457917601a66aed021f5fa37957b56c6319557c0a8ed5484de3c390af45430",
        "train_labels": "9f11b9f97aad759ba6df0a33e3218b01d8deaf4ed3a14aa1185d69b9ad7ebcb3",
        "test_images": "4cb8e5d9309da489bf6b19cc10cd96c3ae6f8daf225380b605aaee4c0d6aee19",
        "test_labels": "4dad7d09c7c97d33f6cb928d705cf4196221316fd6e31bdd978a08ed9103ee0b",
    },
)

# fmt: on
DIGITS = Source(
    name="digits",
    shape=(1, 8, 8),
    classes=10,
    train=1_300,
    test=497,
    licence="CC BY 4.0",
    citation="Alpaydin & Kaynak, Optical recognition of handwritten digits, 1998 (scikit-learn's copy)",
    scale=16.0,
)


def _synthetic(name: str, shape: tuple[int, int, int]) -> Source:
    own = "made by lnbench"
    return Source(name, shape, classes=10, train=2_000, test=1_000, licence="that of lnbench", citation=own)


SYNTHETIC_MNIST = _synthetic("synthetic_mnist", (1, 28, 28))
SYNTHETIC_CIFAR10 = _synthetic("synthetic_cifar10", (3, 32, 32))
# of the digits' form and ten made-up classes: label noise from elsewhere
SYNTHETIC_OTHER = replace(_synthetic("synthetic_other", (1, 8, 8)), scale=16.0)

IMAGENET = FolderSource(
    name="imagenet",
    shape=(3, 224, 224),
    classes=1000,
    train=1_281_167,
    test=50_000,
    licence="for non-commercial research and education; its terms are those of image-net.org",
    citation="Russakovsky et al., ImageNet large scale visual recognition challenge, IJCV 2015",
    folder="imagenet",
    origin="ask for the files of ILSVRC 2012 at image-net.org and put them there",
)

# a folder of the user's: a recipe's `dataset.folder` says where it is and what is in it
IMAGE_FOLDER = FolderSource(
    name=OWN_FOLDER,
    shape=(3, 224, 224),
    classes=2,
    train=0,
    test=0,
    licence="that of its files",
    citation="none",
    origin="put your own files there",
)

SOURCES: Mapping[str, Source] = {  # lnbench's own; `known` has those of plug-ins too
    source.name: source
    for source in (
        MNIST,
        FASHION_MNIST,
        FASHION_MNIST_32,
        CIFAR10,
        CIFAR100,
        DIGITS,
        SYNTHETIC_MNIST,
        SYNTHETIC_CIFAR10,
        SYNTHETIC_OTHER,
        IMAGENET,
        IMAGE_FOLDER,
    )
}


def known() -> dict[str, Source]:
    """Return every data set of the catalog by name: lnbench's own, and those that plug-ins add."""
    return {name: catalog.find("dataset", name).value for name in catalog.names("dataset")}


def find(name: str, sources: Mapping[str, Source] | None = None) -> Source:
    """Return the data set called `name`, of `sources` or of the catalog. Raises NoSuchData that lists them."""
    there = known() if sources is None else sources
    if name not in there:
        raise NoSuchData(f"there is no data set '{name}'; there are {', '.join(there)}")
    return there[name]


def source_of(dataset: Mapping[str, Any]) -> Source:
    """Return what a recipe's `dataset`, as plain data, is of: the catalog's data set, with the options that the recipe
    gives it."""
    source: Source = catalog.find("dataset", dataset["name"]).value
    return source.of(dataset) if isinstance(source, FolderSource) else source
