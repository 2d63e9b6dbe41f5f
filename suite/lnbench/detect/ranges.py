"""What options may be, on the command line and in Python. No numpy here, so that `--help` need not import it."""

SMALLEST, LARGEST = 8, 224  # pixels per side
RANGES: dict[str, tuple[int, int]] = {
    "runs": (1, 100),
    "epochs": (1, 10_000),
    "size": (SMALLEST, LARGEST),
    "batch_size": (2, 65_536),
    "folds": (2, 20),
    "workers": (0, 256),
    "threads": (1, 256),
    "seed": (0, 2**32 - 1),
    "top": (1, 400),
}
CHOICES: dict[str, tuple[str, ...]] = {"augment": ("none", "crop_flip"), "precision": ("fp32", "fast")}
