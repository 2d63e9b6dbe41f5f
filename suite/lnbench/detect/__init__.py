"""Likely label errors among a user's own images: read them, train, rank by the area under the loss, and write it down.

`lnbench detect` is the way in (docs/detect.md). No torch here but inside `training.py`.
"""
