"""The history of a claim's records: when its range was registered, when the runs were made, and with what."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from lnbench.report.page.registration import drafts_words, minute, what_happened
from lnbench.report.plain import Json
from lnbench.report.words import counted, duration, listed, unescaped
from lnbench.site.text import from_markdown, prose, sentence


@dataclass(frozen=True)
class Event:
    """Something that happened to a claim or its records. `time`: ISO 8601, "" where none is known."""

    time: str
    what: Markup

    @property
    def when(self) -> str:
        """Return the time to the minute."""
        return unescaped(minute(self.time)) if self.time else ""


def timeline(data: Json, claim: str) -> list[Event]:
    """Return what is known of a claim's registration and of the study's runs, in order of time; without a time last."""
    events = [*_registered(data, claim), *_runs(data)]
    return sorted(events, key=lambda event: (not event.time, event.time))


def _registered(data: Json, claim: str) -> list[Event]:
    found = next((one for one in data.get("registration", {}).get("claims", []) if one["id"] == claim), None)
    if found is None:
        return [Event("", Markup("Nothing is known of a registration."))]
    events = []
    if found["registered"]:
        commit = f" (commit `{found['commit'][:7]}`)" if found["commit"] else ""
        late = found["status"] != "before" or found["post_hoc"]
        when = "The terms as they stand were registered, after the first record" if late else "The range was registered"
        events.append(Event(found["registered"], prose(f"{when}{commit}.")))
    else:
        events.append(Event("", Markup("The range was not registered before the runs.")))
    first = found["first_registered"]
    if first and first != found["registered"]:
        events.append(Event(first, Markup("First registered, in other terms.")))
    if found["first_record"]:
        events.append(Event(found["first_record"], Markup("The first record that this verdict uses was made.")))
    told = what_happened(found) if found["status"] != "before" and found["records"] else []
    events += [Event("", from_markdown(sentence(line))) for line in told]
    events += [Event("", from_markdown(drafts_words(found)))] if found["earlier"] else []
    return events


def _runs(data: Json) -> list[Event]:
    runs = data["runs"]
    if not runs["first_finished"]:
        return []
    failed = f", {counted(len(runs['failed']), 'run')} failed" if runs["failed"] else ""
    return [
        Event(runs["first_finished"], Markup("The first run of the study was finished.")),
        Event(
            runs["last_finished"],
            prose(
                f"The last of {counted(runs['done'], 'run')} was finished ({duration(runs['seconds'])} of training"
                f"{failed})."
            ),
        ),
    ]


def made_with(data: Json) -> list[str]:
    """Return the versions and machines that made the records, a line each."""
    lines = []
    for entry in data["environments"]:
        about = entry["environment"]
        versions = [f"{name} {about[name]}" for name in ("lnbench", "torch", "numpy", "python") if about.get(name)]
        processor = about.get("processor") or "a processor"
        device = str(processor) if entry["device"] == "cpu" else str(entry["device"])
        lines.append(f"{counted(entry['runs'], 'run')} with {listed(versions)} on {device}.")
    return lines
