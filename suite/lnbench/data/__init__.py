"""Data sets: what there is, where it lies, how it gets there, and as arrays. This never imports torch."""

from ..errors import DataError
from .images import ImageData, load
from .root import Status, check, data_root, status
from .sources import SOURCES, Source

__all__ = ["SOURCES", "DataError", "ImageData", "Source", "Status", "check", "data_root", "load", "status"]
