"""Finished runs on disk."""

from lnbench.store.files import StoreUnwritable, write_atomically
from lnbench.store.folder import Store, StoreStatus, default_path, read_export
from lnbench.store.ledger import is_entry
from lnbench.store.record import Record, make_record

__all__ = [
    "Record", "Store", "StoreStatus", "StoreUnwritable", "default_path", "is_entry", "make_record",
    "read_export", "write_atomically",
]  # fmt: skip
