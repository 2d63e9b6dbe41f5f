"""The kinds of check, a file each: what a part's kind knows about its region, its check, its power and its words."""

from lnbench.judge.kinds.kind import ALPHA, Kind, Writer, check_member, kind_named, kind_of, numbers_of, region_of
from lnbench.judge.kinds.planning import Pilot

__all__ = [
    "ALPHA", "Kind", "Pilot", "Writer", "check_member", "kind_named", "kind_of", "numbers_of", "region_of",
]  # fmt: skip
