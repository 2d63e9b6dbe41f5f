"""The pages of the site from the data of reports: names of files -> bytes. Equal data, equal bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from shlex import quote

import jinja2

import lnbench
from lnbench.errors import visible
from lnbench.report.debates import BRIDGE, OURS, RULE, find_debates
from lnbench.report.headlines import SCALES
from lnbench.report.paper_rows import TIER_ORDER, report_order, study_only
from lnbench.report.plain import Json
from lnbench.site.claims import Claim, claims_of
from lnbench.site.papers import Discussion, Paper, discussion, papers_of
from lnbench.site.tables import Method, Table, methods_of, tables_of
from lnbench.site.text import file_names, from_markdown, prose, sentence
from lnbench.site.verdicts import MEANINGS, chip
from lnbench.spec import LoadedStudy, Question
from lnbench.tiers import PAPER_TIERS
from lnbench.verdict import Standing, Verdict

HERE = Path(__file__).parent
ASSETS = ("site.css", "site.js")
MOST_OPEN = 6  # comparisons of a part that are shown at once; the others open on a click
KNOWN_KINDS = [verdict for verdict in Verdict if not verdict.value.startswith("smoke")]


@dataclass(frozen=True)
class Contents:
    """What a site is made of: result.json of each committed report; of each study without one, its result without any
    run (`unrun`); the questions in words, the studies, and the ids of the headline claims. `folder`: of the reports, as
    commands name it."""

    results: Sequence[Json]
    unrun: Sequence[Json] = ()
    questions: Mapping[str, Question] = field(default_factory=dict)
    studies: Sequence[LoadedStudy] = ()
    headlines: Sequence[str] = ()
    folder: str = "reports"


class Site:
    """The claims, papers, debates and methods of some reports, each with the address of its page."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.results = sorted(
            (data for data in contents.results if data["tier"] in PAPER_TIERS and data["claims"]), key=report_order
        )
        unrun = sorted((data for data in contents.unrun if data["tier"] in PAPER_TIERS), key=report_order)
        known = {(data["study"], claim["id"]) for data in self.results for claim in data["claims"]}
        shown = [(data, f"{contents.folder}/{data['key']}") for data in self.results]
        shown += [
            (data, "") for data in unrun if not any((data["study"], one["id"]) in known for one in data["claims"])
        ]
        self.shown = sorted(shown, key=lambda one: report_order(one[0]))
        self.alone = study_only(self.results)

    @cached_property
    def claims(self) -> list[Claim]:
        """Return every claim, paper by paper, in the order of their ids."""
        keys = sorted({(data["study"], claim["id"]) for data, _ in self.shown for claim in data["claims"]})
        ids = [claim for _, claim in keys]
        names = [claim if ids.count(claim) == 1 else f"{claim}-{study}" for study, claim in keys]
        slugs = dict(zip(keys, file_names(names), strict=True))
        studies = {study.name: study for study in self.contents.studies}
        found = claims_of(self.shown, self.alone, studies, slugs, self.paper_slugs)
        return sorted(found, key=lambda one: (one.standing is Standing.HYPOTHESIS, one.paper["id"], one.name))

    @cached_property
    def paper_slugs(self) -> dict[str, str]:
        """Return paper -> file name of its page."""
        papers = list(dict.fromkeys(data["paper"]["id"] for data, _ in self.shown))
        return dict(zip(papers, file_names(papers), strict=True))

    @cached_property
    def headlines(self) -> list[Claim]:
        """Return the headline claims that are known, in their order."""
        by_id = {claim.name: claim for claim in reversed(self.claims)}
        return [by_id[name] for name in self.contents.headlines if name in by_id]

    @cached_property
    def papers(self) -> list[Paper]:
        return papers_of(self.claims, self.results, self.alone, self.paper_slugs)

    @cached_property
    def discussions(self) -> list[Discussion]:
        """Return the debates that there are claims for, each with the pages of its claims."""
        debates = find_debates(self.results, self.contents.questions, self.contents.studies)
        by_key = {(claim.study, claim.name): claim for claim in self.claims}
        slugs = file_names(debate.name for debate in debates)
        return [discussion(debate, slug, by_key) for debate, slug in zip(debates, slugs, strict=True)]

    @cached_property
    def methods(self) -> list[Method]:
        """Return the methods that claims train with, those with a row in a table first."""
        found = [*methods_of(self.claims)]
        slugs = file_names(name for name, *_ in found)
        return [
            Method(name, slug, words, tuple(rows), tuple(claims))
            for (name, words, rows, claims), slug in zip(found, slugs, strict=True)
        ]

    @cached_property
    def method_tables(self) -> list[Table]:
        """Return the tables whose rows are methods."""
        return list(dict.fromkeys(table for method in self.methods for table, _ in method.rows))

    @cached_property
    def method_slugs(self) -> dict[str, str]:
        """Return method -> file name of its page."""
        return {method.name: method.slug for method in self.methods}

    def question_title(self, name: str) -> str:
        """Return a question in words; its name where nothing more is known."""
        known = self.contents.questions.get(name)
        return " ".join(known.title.split()) if known else name


def render(contents: Contents) -> dict[str, bytes]:
    """Return every file of the site by its name."""
    site = Site(contents)
    pages = _Pages(site)
    pages.add("index.html", "index.html", claims=site.claims, headlines=site.headlines, **_filters(site))
    for claim in site.claims:
        tables = {at.tier: tables_of(claim, at) for at in claim.shown_tiers}
        pages.add(f"claims/{claim.slug}.html", "claim.html", claim=claim, tables=tables)
    pages.add("papers/index.html", "papers.html", papers=site.papers)
    for paper in site.papers:
        pages.add(f"papers/{paper.slug}.html", "paper.html", paper=paper)
    pages.add("debates/index.html", "debates.html", rule=RULE, discussions=site.discussions)
    for one in site.discussions:
        pages.add(f"debates/{one.slug}.html", "debate.html", one=one, bridge=BRIDGE, ours=OURS)
    pages.add("methods/index.html", "methods.html", methods=site.methods, tables=site.method_tables)
    for method in site.methods:
        pages.add(f"methods/{method.slug}.html", "method.html", method=method)
    pages.add("reading.html", "reading.html", standings=list(Standing))
    files = {name: text.encode() for name, text in pages.done.items()}
    files |= {f"assets/{name}": (HERE / "assets" / name).read_bytes() for name in ASSETS}
    return {".nojekyll": b"", **files}


def _filters(site: Site) -> dict[str, object]:
    """Return what the front page counts and offers as filters: only what some claim has."""
    judged = [claim for claim in site.claims if claim.main.judged]
    counts = Counter(claim.main.chip.word for claim in site.claims)
    papers = {claim.paper_slug: claim.paper_short for claim in site.claims}
    questions = {claim.question: site.question_title(claim.question) for claim in site.claims if claim.question}
    pairs = [pair for claim in site.claims for pair in claim.pairs]
    return {
        "judged": len(judged),
        "full": sum(claim.main.tier == "full" for claim in judged),
        "sources": len({claim.paper_slug for claim in site.claims if claim.paper["authors"]}),
        "own": any(not claim.paper["authors"] for claim in site.claims),
        "counts": [(chip(kind.value), counts[kind.value]) for kind in KNOWN_KINDS if counts[kind.value]],
        "papers": list(papers.items()),
        "questions": sorted(questions.items(), key=lambda one: one[1]),
        "verdicts": [kind for kind in KNOWN_KINDS if kind.value in {word for _, word in pairs}],
        "tiers": [tier for tier in TIER_ORDER if tier in {tier for tier, _ in pairs}],
    }


class _Pages:
    """Pages as they are rendered; each knows the way back to the root."""

    def __init__(self, site: Site) -> None:
        self.done: dict[str, str] = {}
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters |= {"prose": prose, "markdown": from_markdown, "sentence": sentence, "shell": quote}
        self.environment.globals |= {
            "site": site,
            "version": lnbench.__version__,
            "chip_of_word": chip,
            "meanings": MEANINGS,
            "scales": SCALES,
            "kinds": KNOWN_KINDS,
            "most_open": MOST_OPEN,
        }

    def add(self, name: str, template: str, **context: object) -> None:
        """Render a page of this name."""
        root = "../" * name.count("/")
        text = self.environment.get_template(template).render(root=root, here=name, **context)
        lines = "\n".join(line.rstrip() for line in text.split("\n") if line.strip()) + "\n"
        # what a browser obeys and does not show comes from names only: the templates have none of it
        self.done[name] = lines if lines.replace("\n", "").isprintable() else visible(lines, keep="\n")
