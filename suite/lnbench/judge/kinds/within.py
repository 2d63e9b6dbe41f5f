"""within and scaling: an effect, or an exponent, between two edges."""

from __future__ import annotations

from lnbench.judge.kinds.kind import Kind
from lnbench.spec import parts


class Within(Kind[parts.Within]):
    """The effect lies in the region."""

    words = "between two edges"


class Scaling(Kind[parts.Scaling]):
    """The slope of log y on log x lies in the region."""

    words = "an exponent"
