"""A logistic regression on frozen pixels: the plainest classifier that confident learning can be given.

Many who look for wrong labels have no network of their own: they give cleanlab the out-of-fold probabilities of a
linear model. Here it sees the pixels as they are, nothing learned, nothing augmented. What a network adds is then
measured, not assumed.

    pixels    each less its mean over the images that the fold is fitted on, over its deviation there; one that never
              changes stays 0
    model     multinomial, scikit-learn's LogisticRegression: ½ ‖w‖² + C · Σ cross-entropy, by L-BFGS from zero weights
              in float64, until the gradient is below TOLERANCE or after ITERATIONS

No random number is drawn, and one thread sums, so that the same labels give the same probabilities.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lnbench.stats.seeds import Floats

Labels = npt.NDArray[np.int64]

C = 1e-3  # strength of the data against the penalty; docs/decisions.md has how it was chosen, from given labels alone
TOLERANCE = 1e-4
ITERATIONS = 500


def out_of_fold(images: npt.NDArray[np.uint8], given: Labels, fold: Labels, classes: int) -> tuple[Floats, list[int]]:
    """Return (n, classes) float64, the probabilities of each image by the model that did not see it, and the iterations
    of each fold's fit.

    images (n, C, H, W); given (n,) the labels; fold (n,) from 0 on, in which each image is held out. A class that no
    label of a fit names has the probability 0.
    """
    pixels = images.reshape(len(images), -1).astype(np.float64)
    found, iterations = np.zeros((len(given), classes)), []
    with threadpool_limits(1):  # the last bits of a product depend on the number of threads
        for number in range(int(fold.max()) + 1):
            held = fold == number
            fitted, standard = _fit(pixels[~held], given[~held])
            found[np.ix_(held, fitted.classes_)] = fitted.predict_proba(standard(pixels[held]))
            iterations.append(int(np.max(fitted.n_iter_)))
    return found, iterations


def _fit(pixels: Floats, given: Labels) -> tuple[Any, Any]:
    """Return the model fitted to pixels (n, P) and labels (n,), and the function that standardises pixels for it."""
    mean, deviation = pixels.mean(axis=0), pixels.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)

    def standard(values: Floats) -> Floats:
        moved: Floats = (values - mean) / scale
        return moved

    model = LogisticRegression(C=C, solver="lbfgs", tol=TOLERANCE, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the iterations say it
        model.fit(standard(pixels), given)
    return model, standard
