"""The most memory that a process took, in bytes: it sets up MNIST with noisy copies, and draws."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def peak_of(alpha: float, images: int) -> int:
    """In a process of its own: its highest resident size, in bytes, from setting up to the first draws of an epoch."""
    command = [sys.executable, "-m", "tests.benchmarks.memory", str(alpha), str(images)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    return int(done.stdout)


def _main(alpha: float, images: int) -> None:
    import torch

    from lnbench.training.batches import BATCHES_A_DRAW, DeviceData, TrainingSet
    from tests.benchmarks.engine_side import BATCH, random_images, recipe, seeds

    torch.set_num_threads(1)
    data = random_images("mnist", images)
    made = TrainingSet(DeviceData(data, torch.device("cpu")), recipe(data, alpha), seeds(0))
    for _, _batch in zip(range(2 * BATCHES_A_DRAW), made.batches(0, BATCH), strict=False):
        pass
    print(_highest())


def _highest() -> int:
    """Linux's own count, as `getrusage` still tells of the process that this one was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    _main(float(sys.argv[1]), int(sys.argv[2]))
