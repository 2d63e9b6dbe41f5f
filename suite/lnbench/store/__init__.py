"""Finished runs on disk."""

from lnbench.store.exports import read_export
from lnbench.store.files import StoreUnwritable, write_atomically
from lnbench.store.folder import NoStore, Store, StoreStatus, checked_place, default_path
from lnbench.store.ledger import is_entry
from lnbench.store.record import Record, make_record

__all__ = [
    "NoStore", "Record", "Store", "StoreStatus", "StoreUnwritable", "checked_place", "default_path", "is_entry",
    "make_record", "read_export", "write_atomically",
]  # fmt: skip
