"""The hash that everything random comes from: its values for ever, its law, and its permutations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from lnbench.randomness import MASK, Stream, below, derived_seed, factorise, key, keyed, mix, permutation_at, u32

WORD = st.integers(0, MASK)
EXTREMES = [0, 1, 2, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, MASK]


# ---- the values, for ever


def test_the_values_are_pinned() -> None:
    """Every stored record depends on them: when this test is red, it is the code that is wrong."""
    assert [mix(x) for x in (0, 1, 2, MASK)] == PINNED["mix"]
    assert [key(s, t, e) for s, t, e in ((0, 1, 0), (1, 1, 0), (0, 2, 0), (0, 1, 1), (MASK, 5, 99))] == PINNED["key"]
    assert u32(0, Stream.NOISE, 0, np.arange(5)).tolist() == PINNED["u32"]
    assert u32(12345, Stream.ORDER, 7, np.array(EXTREMES)).tolist() == PINNED["u32 far"]
    assert permutation_at(3, Stream.ORDER, 2, 10, np.arange(10)).tolist() == PINNED["permutation 10"]
    places = np.array([0, 1, 2, 59_999, 60_000, 6_059_999])
    assert permutation_at(0, Stream.ORDER, 1, 6_060_000, places).tolist() == PINNED["permutation 6060000"]
    assert permutation_at(0, Stream.ORDER, 0, 60_013, places[:3]).tolist() == PINNED["permutation 60013"]


def test_the_streams_keep_their_numbers() -> None:
    assert {stream.name: int(stream) for stream in Stream} == {
        "SPLIT": 1,
        "NOISE": 2,
        "ORDER": 3,
        "INIT": 4,
        "AUGMENT": 5,
    }


def test_a_seed_derived_from_a_text_is_stable() -> None:
    assert [derived_seed(text) for text in ("", "noise:0:{}", "é")] == PINNED["derived"]


def test_the_mixer_is_lowbias32() -> None:
    """As published, in plain unsigned arithmetic, with the positive second factor."""
    for x in [*EXTREMES, *range(3, 3000, 17)]:
        h = x
        h ^= h >> 16
        h = (h * 0x7FEB352D) % 2**32
        h ^= h >> 15
        h = (h * 0x846CA68B) % 2**32
        h ^= h >> 16
        assert mix(x) == h


# ---- the same bits everywhere


@given(seed=WORD, stream=st.integers(0, 2**20), epoch=WORD, counters=st.lists(WORD, min_size=1, max_size=20))
@example(seed=MASK, stream=5, epoch=MASK, counters=EXTREMES)
@settings(max_examples=100, deadline=None)
def test_python_numpy_and_torch_agree_bit_for_bit(seed: int, stream: int, epoch: int, counters: list[int]) -> None:
    plain = [u32(seed, stream, epoch, counter) for counter in counters]
    assert all(0 <= value <= MASK for value in plain)
    assert u32(seed, stream, epoch, np.array(counters, dtype=np.int64)).tolist() == plain
    assert u32(seed, stream, epoch, torch.tensor(counters, dtype=torch.int64)).tolist() == plain
    known = torch.tensor(key(seed, stream, epoch))
    assert keyed(known, torch.tensor(counters, dtype=torch.int64)).tolist() == plain
    epochs = np.full(len(counters), epoch, dtype=np.int64)
    assert u32(seed, stream, epochs, np.array(counters, dtype=np.int64)).tolist() == plain
    assert u32(seed, stream, torch.from_numpy(epochs), torch.tensor(counters)).tolist() == plain


def test_no_int64_overflows_at_the_extremes() -> None:
    """Python's integers never overflow; numpy's warn. Equal values and no warning: nothing wrapped."""
    x = np.array(EXTREMES, dtype=np.int64)
    with np.errstate(all="raise"):
        assert mix(x).tolist() == [mix(value) for value in EXTREMES]
        assert key(MASK, 5, x).tolist() == [key(MASK, 5, value) for value in EXTREMES]
        assert below(x, 2**31 - 1).tolist() == [below(value, 2**31 - 1) for value in EXTREMES]
    for value in EXTREMES:  # the products themselves, as exact integers
        folded = value ^ (value >> 16)
        assert abs(folded * 0x7FEB352D) < 2**63
        assert abs(value * (0x846CA68B - 2**32)) < 2**63
        assert value * 0x3C6EF372 + MASK < 2**63


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 97, 1000, 60_013, 6_060_000])
def test_a_permutation_is_the_same_in_python_numpy_and_torch(n: int) -> None:
    places = sorted({0, n // 3, n // 2, n - 1})
    plain = [int(permutation_at(7, Stream.ORDER, 3, n, place)) for place in places]
    assert permutation_at(7, Stream.ORDER, 3, n, np.array(places, dtype=np.int64)).tolist() == plain
    assert permutation_at(7, Stream.ORDER, 3, n, torch.tensor(places)).tolist() == plain


@pytest.mark.parametrize("seed", [-1, 2**32, 2**40])
def test_a_seed_that_is_no_32_bit_number_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=f"not {seed}"):
        u32(seed, Stream.NOISE, 0, 0)


# ---- the law


def _uniform(values: np.ndarray, cells: int) -> float:
    """p of chi-square for equally likely cells."""
    return float(stats.chisquare(np.bincount(values, minlength=cells)).pvalue)


@pytest.mark.parametrize("seed", [0, 1, 2, 1_000_000, MASK])
@pytest.mark.parametrize("stream", [Stream.NOISE, Stream.ORDER])
def test_high_and_low_bits_are_uniform(seed: int, stream: int) -> None:
    bits = u32(seed, stream, 0, np.arange(200_000))
    for values, cells in ((bits >> 24, 256), (bits & 255, 256), (below(bits, 10), 10), (below(bits, 1000), 1000)):
        assert _uniform(values, cells) > 1e-4


def test_all_32_bits_are_fair_coins() -> None:
    bits = u32(5, Stream.INIT, 0, np.arange(100_000))
    ones = [int(((bits >> bit) & 1).sum()) for bit in range(32)]
    assert max(abs(count - 50_000) for count in ones) < 5 * 158  # sd 158


PAIRS = {
    "neighbouring seeds": lambda i: (u32(8, 2, 0, i), u32(9, 2, 0, i)),
    "seeds 0 and 1": lambda i: (u32(0, 3, 0, i), u32(1, 3, 0, i)),
    "a verdict's seed and a choice's": lambda i: (u32(0, 3, 0, i), u32(1_000_000, 3, 0, i)),
    "streams": lambda i: (u32(4, 2, 0, i), u32(4, 3, 0, i)),
    "seed and stream swapped": lambda i: (u32(2, 3, 0, i), u32(3, 2, 0, i)),
    "epochs": lambda i: (u32(4, 2, 5, i), u32(4, 2, 6, i)),
    "seed and epoch swapped": lambda i: (u32(1, 2, 2, i), u32(2, 2, 1, i)),
    "neighbouring counters": lambda i: (u32(4, 2, 0, i), u32(4, 2, 0, i + 1)),
    "counters a power of two apart": lambda i: (u32(4, 2, 0, i), u32(4, 2, 0, i + 65_536)),
    "counters 10 apart": lambda i: (u32(4, 2, 0, 10 * i), u32(4, 2, 0, 10 * i + 10)),
    "copies of one image": lambda i: (u32(4, 2, i, 17 + 0 * i), u32(4, 2, i + 1, 17 + 0 * i)),
    "epoch and counter swapped": lambda i: (u32(4, 2, i, i + 1), u32(4, 2, i + 1, i)),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_neighbours_are_independent(pair: str) -> None:
    first, second = PAIRS[pair](np.arange(100_000))
    for shift in (28, 0):  # high bits and low bits
        cells = ((first >> shift) & 15) * 16 + ((second >> shift) & 15)
        assert _uniform(cells, 256) > 1e-4
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / 100_000**0.5
    assert (first == second).mean() < 1e-3


def test_below_takes_every_value_and_no_other() -> None:
    for n in (1, 2, 10, 101):
        values = below(u32(0, 2, 0, np.arange(5000)), n)
        assert set(values.tolist()) == set(range(n))
    assert below(MASK, 10) == 9 and below(0, 10) == 0


# ---- permutations


@pytest.mark.parametrize("n", [*range(1, 301), 997, 1297, 4096, 5003, 60_000, 60_013])
def test_it_is_a_permutation(n: int) -> None:
    image = permutation_at(n, Stream.ORDER, n % 7, n, np.arange(n))
    assert np.array_equal(np.sort(image), np.arange(n))


@given(n=st.integers(1, 20_000), seed=WORD, epoch=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_any_size_any_seed_any_epoch_is_a_permutation(n: int, seed: int, epoch: int) -> None:
    seen = np.zeros(n, dtype=bool)
    seen[permutation_at(seed, Stream.ORDER, epoch, n, np.arange(n))] = True
    assert seen.all()


def test_the_largest_epoch_of_the_paper_is_a_permutation() -> None:
    n = 6_060_000  # 60,000 images and alpha 100
    seen = np.zeros(n, dtype=bool)
    for start in range(0, n, 1 << 19):
        seen[permutation_at(1, Stream.ORDER, 0, n, np.arange(start, min(start + (1 << 19), n)))] = True
    assert seen.all()


@given(n=st.integers(1, 10**7))
@settings(max_examples=200, deadline=None)
def test_the_domain_is_hardly_larger_than_needed(n: int) -> None:
    """Every value outside costs one more masked round, so there must be few."""
    a, b = factorise(n)
    assert 0 <= a * b - n <= 64
    assert n < 4 or a >= 2


def test_a_permutation_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one element"):
        factorise(0)


@pytest.mark.parametrize("n", [50, 1297, 5000])
def test_epochs_seeds_and_streams_give_other_orders(n: int) -> None:
    base = permutation_at(0, Stream.ORDER, 0, n, np.arange(n))
    others = [(0, Stream.ORDER, 1), (1, Stream.ORDER, 0), (0, Stream.SPLIT, 0)]
    for seed, stream, epoch in others:
        same = int((permutation_at(seed, stream, epoch, n, np.arange(n)) == base).sum())
        assert same <= 8  # one fixed point on average; P(more than 8) is a millionth


@pytest.mark.parametrize("n", [10, 16, 101])
def test_every_position_goes_everywhere_equally_often(n: int) -> None:
    trials = 6000
    table = np.zeros((n, n), dtype=np.int64)
    for seed in range(trials):
        table[np.arange(n), permutation_at(seed, Stream.ORDER, 0, n, np.arange(n))] += 1
    expected = trials / n
    chi2 = ((table - expected) ** 2 / expected).sum()
    assert stats.chi2.sf(chi2, (n - 1) ** 2) > 1e-4


@pytest.mark.parametrize("n", [1297, 60_000])
def test_neighbours_in_an_epoch_are_no_neighbours_in_the_data(n: int) -> None:
    """Steps between successive examples, modulo n, are uniform: no pair of positions sticks together."""
    order = np.concatenate([permutation_at(seed, Stream.ORDER, 0, n, np.arange(n)) for seed in range(200_000 // n + 1)])
    steps = np.diff(order) % n
    steps = steps[steps != 0]
    assert _uniform((steps - 1) * 50 // (n - 1), 50) > 1e-4
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 5 / len(order) ** 0.5


def test_any_piece_of_a_permutation_can_be_had_alone() -> None:
    n = 5003
    whole = permutation_at(9, Stream.ORDER, 4, n, np.arange(n))
    pieces = [permutation_at(9, Stream.ORDER, 4, n, np.arange(s, min(s + 640, n))) for s in range(0, n, 640)]
    assert np.array_equal(np.concatenate(pieces), whole)
    some = np.array([5002, 0, 77, 77, 1234])
    assert np.array_equal(permutation_at(9, Stream.ORDER, 4, n, some), whole[some])


PINNED: dict[str, list[int]] = {
    "mix": [0, 1753845952, 3507691905, 1734902346],
    "key": [1103339517, 2909118424, 2250750866, 1222262890, 3363618780],
    "u32": [4294537872, 926587796, 121889135, 1391600946, 746026327],
    "u32 far": [
        171190813,
        505614151,
        3850499760,
        1724455409,
        1751011137,
        2736196786,
        3727043765,
        1896031722,
        3440438204,
    ],
    "permutation 10": [5, 2, 0, 7, 1, 9, 4, 3, 6, 8],
    "permutation 6060000": [715378, 5319640, 2791158, 5390286, 2781131, 768900],
    "permutation 60013": [33364, 40453, 9996],
    "derived": [3820012610, 4024936267, 1251562878],
}
