"""What a study file says: read, checked and frozen."""

from lnbench.spec.baseline import Baseline, Number, Place, Reference, baseline_schema, load_baseline
from lnbench.spec.effects import EPOCH, Effect
from lnbench.spec.load import LoadedStudy, load_studies, load_study, named_apart
from lnbench.spec.own_rows import asked_rows, rows_of, with_rows
from lnbench.spec.parts import (
    Agrees,
    CanReach,
    Correlation,
    Equivalent,
    EveryRun,
    Monotone,
    Ordered,
    Part,
    Ratio,
    Scaling,
    Shift,
    Table,
    TableSides,
    Threshold,
    Trend,
    Within,
)
from lnbench.spec.points import needed_points, point_key, points_of
from lnbench.spec.questions import Question, load_questions, questions_schema
from lnbench.spec.recipe import AnyRecipe, ExperimentRecipe, Recipe, Scalar, Scalars, data_of, recipe_of
from lnbench.spec.study import (
    Alternative,
    Cell,
    Choose,
    Claim,
    OwnRow,
    Point,
    Runs,
    Seeds,
    Source,
    Study,
    StudyFile,
    StudySpec,
    VerdictRule,
    study_schema,
)
from lnbench.spec.variants import alternatives, touches, variant
from lnbench.tiers import TIERS

__all__ = [
    "EPOCH", "TIERS", "Agrees", "Alternative", "AnyRecipe", "Baseline", "CanReach", "Cell", "Choose", "Claim",
    "Correlation", "Effect", "Equivalent", "EveryRun", "ExperimentRecipe", "LoadedStudy", "Monotone", "Number",
    "Ordered", "OwnRow", "Part", "Place", "Point", "Question", "Ratio", "Recipe", "Reference", "Runs", "Scalar",
    "Scalars", "Scaling", "Seeds", "Shift", "Source", "Study", "StudyFile", "StudySpec", "Table", "TableSides",
    "Threshold", "Trend", "VerdictRule", "Within", "alternatives", "asked_rows", "baseline_schema", "data_of",
    "load_baseline", "load_questions", "load_studies", "load_study", "named_apart", "needed_points", "point_key",
    "points_of", "questions_schema", "recipe_of", "rows_of", "study_schema", "touches", "variant", "with_rows",
]  # fmt: skip
