"""Training: the only room, with `models` and `methods`, where torch is imported."""
