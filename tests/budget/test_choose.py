"""Which verdicts come first when time is short: by what they add, shared work counted once."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from lnbench.budget import choose as room
from lnbench.budget.choose import Piece, Step, Want, alone, choose


def want(study: str, claim: str, *pieces: str, after: Sequence[tuple[str, str]] = (), **seconds: float) -> Want:
    """A verdict that lacks some pieces, each of a second unless `seconds` says otherwise."""
    found = {piece: Piece(seconds.get(piece, 1.0)) for piece in pieces}
    return Want((study, claim), found, tuple(after))


def told(steps: Sequence[Step]) -> list[tuple[str, str, float]]:
    return [(step.group, "+".join(claim for _, claim in step.wants), step.seconds) for step in steps]


def test_the_most_verdicts_for_a_second_come_first_and_one_run_serves_several() -> None:
    wants = [
        want("slow", "A", "a", "b", "c"),
        want("both", "B", "d", "e"),
        want("both", "C", "d"),
        want("one", "D", "f"),
    ]
    # C costs one, and then so does B, which shares its run
    assert told(choose(wants, 100)) == [("both", "B+C", 2.0), ("one", "D", 1.0), ("slow", "A", 3.0)]


def test_what_comes_for_nothing_comes_with_the_run_that_it_shares() -> None:
    wants = [want("first", "A", "a", "b"), want("other", "B", "a", "b"), want("third", "C", "c", c=1.5)]
    assert told(choose(wants, 2)) == [("first", "A", 2.0), ("other", "B", 0.0)]


def test_a_whole_study_is_an_offer_where_no_claim_of_it_is_a_good_one() -> None:
    # each pair of A, B, C shares a run: by itself each costs 2, all three together 3; D costs 1.5
    wants = [want("s", "A", "x", "y"), want("s", "B", "y", "z"), want("s", "C", "z", "x"), want("d", "D", "w", w=1.5)]
    assert told(choose(wants, 3)) == [("s", "A+B+C", 3.0)]


def test_what_does_not_fit_is_passed_over_and_the_rest_of_the_time_is_filled() -> None:
    wants = [want("long", "A", "a", a=5.0), want("long", "B", "a", a=5.0), want("short", "C", "c", c=4.0)]
    assert told(choose(wants, 5.5)) == [("long", "A+B", 5.0)]
    assert told(choose(wants, 4.5)) == [("short", "C", 4.0)]
    assert told(choose(wants, 9.5)) == [("long", "A+B", 5.0), ("short", "C", 4.0)]
    assert choose(wants, 3.9) == []


def test_what_must_come_first_comes_first_and_is_counted() -> None:
    parity = want("parity", "P", "p", p=3.0)
    wants = [want("fast", "A", "a", after=[("parity", "P")]), parity, want("plain", "B", "b", b=1.9)]
    assert told(choose(wants, 100)) == [("plain", "B", 1.9), ("parity", "P", 3.0), ("fast", "A", 1.0)]
    assert told(choose(wants, 3.5)) == [("plain", "B", 1.9)], "without its parity study it is not begun"
    assert alone(wants[0], wants) == 4.0


def test_what_comes_first_is_one_step_for_all_that_need_it() -> None:
    first = [("parity", "P")]
    wants = [
        want("s", "B", "a", "b", after=first),
        want("parity", "P", "p"),
        want("s", "C", after=first),
    ]
    assert told(choose(wants, 3)) == [("parity", "P", 1.0), ("s", "B+C", 2.0)]


def test_a_want_with_nothing_missing_still_waits_for_what_comes_first() -> None:
    wants = [want("fast", "A", "a", after=[("parity", "P")]), want("other", "B", "a"), want("parity", "P", "p", p=3.0)]
    assert told(choose(wants, 100)) == [("other", "B", 1.0), ("parity", "P", 3.0), ("fast", "A", 0.0)]
    assert told(choose(wants, 2)) == [("other", "B", 1.0)]


def test_workers_share_the_runs_but_neither_the_device_nor_a_chain() -> None:
    pieces = {name: Piece(4.0, alone=1.5, chain=4.0) for name in "abcd"}
    assert choose([Want(("s", "A"), pieces)], 100)[0].seconds == 16.0
    assert choose([Want(("s", "A"), pieces)], 100, workers=2)[0].seconds == 8.0
    assert choose([Want(("s", "A"), pieces)], 100, workers=8)[0].seconds == 6.0, "the device is one"
    chained = {"a": Piece(4.0, chain=4.0), "b": Piece(4.0, chain=8.0)}
    assert choose([Want(("s", "A"), chained)], 100, workers=8)[0].seconds == 8.0, "b waits for a"


def test_equals_are_taken_in_the_order_given() -> None:
    wants = [want("z", "A", "a"), want("a", "B", "b"), want("m", "C", "c")]
    assert [step.group for step in choose(wants, 2)] == ["z", "a"]


def drawn(seed: int) -> tuple[list[Want], float, int]:
    chance = random.Random(seed)
    prices = {f"p{number}": Piece(round(chance.uniform(0.1, 5), 2)) for number in range(12)}
    wants: list[Want] = []
    for number in range(chance.randrange(1, 12)):
        names = chance.sample(sorted(prices), chance.randrange(1, 6))
        after = (chance.choice(wants).key,) if wants and chance.random() < 0.2 else ()
        wants.append(Want((f"s{number % 4}", f"c{number}"), {name: prices[name] for name in names}, after))
    return wants, chance.uniform(1, 30), chance.choice([1, 1, 2])


@pytest.mark.parametrize("seed", range(25))
def test_a_plan_keeps_its_time_pays_each_run_once_and_has_what_it_promises(seed: int) -> None:
    wants, seconds, workers = drawn(seed)
    by_key = {one.key: one for one in wants}
    steps = choose(wants, seconds, workers)
    taken = [key for step in steps for key in step.wants]
    assert len(taken) == len(set(taken)) and sum(step.seconds for step in steps) <= seconds + 1e-9
    done: dict[str, Piece] = {}
    for step in steps:
        new = {name: cost for key in step.wants for name, cost in by_key[key].pieces.items() if name not in done}
        if workers == 1:
            assert step.seconds == pytest.approx(sum(cost.seconds for cost in new.values()))
        done |= new
    for place, key in enumerate(taken):
        assert all(first in taken[:place] for first in by_key[key].after)
    left = [one for one in wants if one.key not in taken]
    free = [one.key for one in left if set(one.pieces) <= set(done) and all(key in taken for key in one.after)]
    assert not free, "what costs nothing is never left out"


@pytest.mark.parametrize("seed", range(25))
def test_offers_that_are_kept_are_those_that_would_be_made_again(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    wants, seconds, workers = drawn(seed)
    kept = choose(wants, seconds, workers)
    take = room._Work.take

    def forget(work: room._Work, offer: room._Offer) -> None:
        take(work, offer)
        work.known.clear()

    monkeypatch.setattr(room._Work, "take", forget)
    assert choose(wants, seconds, workers) == kept
