"""Records into verdicts."""

from lnbench.judge.evidence import Evidence
from lnbench.judge.gathering import Get, gather
from lnbench.judge.kinds import ALPHA
from lnbench.judge.members import Member
from lnbench.judge.readings import FromStore, Reads, Stored
from lnbench.judge.results import ChoiceResult, ClaimResult, DriftResult, Look, PartResult, StudyResult
from lnbench.judge.verdicts import judge, look_sizes
from lnbench.spec import alternatives

__all__ = [
    "ALPHA", "ChoiceResult", "ClaimResult", "DriftResult", "Evidence", "FromStore", "Get", "Look", "Member",
    "PartResult", "Reads", "Stored", "StudyResult", "alternatives", "gather", "judge", "look_sizes",
]  # fmt: skip
