"""What the reports of an ablation say, for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from race.ablation.document import Ablation, SiteRecord, TrialRecord
from race.output import Screen
from race.report import markdown, terminal, words
from race.report.words import count
from race.results import printable

COLUMNS = ("site", "base", "crossed", "tried", "alone", "from off", "weakest", "verdict")
LEGEND = (
    "crossed, tried: executions of the sample that came to the site; that moved an access across it while it was "
    "weakened (alone, or with all but the first set if that is more)",
    "alone: findings with this site alone at none. from off: with this site alone at its strength, all others at none",
    "weakest: the least strength that suffices, with every site outside of its minimal set at none; --json and "
    "--markdown have the sets as plans",
)
PROOF_LEGEND = (
    "crossed: random executions that came to the site, of a sample. alone: the plan with this site alone at none. "
    "from off: with this site alone at its strength, all others at none",
    LEGEND[2],
)
VERDICT_STYLES = {"necessary": "bold red", "masked": "yellow", "redundant": "green", "untested": "dim"}
ICONS = {True: "✅", False: "⚠️"}


def rows(document: Ablation) -> list[SiteRecord]:
    """Those that executions came to; the others are a sentence."""
    return [site for site in document.sites if site.crossed or site.weakened is not None]


def cells(document: Ablation, site: SiteRecord) -> tuple[str, ...]:
    tried = [n for n in (site.tried, site.tried_together) if n is not None]
    return (
        site.site,
        site.strength,
        _share(site.crossed, document.sample),
        _share(max(tried, default=None), document.sample),
        _rate(site.weakened),
        _rate(site.strengthened),
        site.weakest or "-",
        site.verdict,
    )


def not_crossed(document: Ablation) -> str | None:
    names = [site.site for site in document.sites if site.crossed == 0 and site.weakened is None]
    if not names:
        return None
    verb = "site was" if len(names) == 1 else "sites were"
    if document.engine == "exhaustive":
        return (
            f"{count(len(names))} {verb} not come to by {count(document.sample)} random executions, and the plan with "
            f"all of them at none is proved: {', '.join(names)}"
        )
    return f"{count(len(names))} {verb} not come to, and are untested: {', '.join(names)}"


def asked(document: Ablation) -> list[tuple[str, str]]:
    scenario = document.scenario
    pairs = [
        ("scenario", f"{scenario.name}: {scenario.title}"),
        ("file", f"{scenario.file} (sha256 {scenario.sha256[:12]})"),
        ("threads", f"{', '.join(scenario.threads)}; pages of {count(scenario.page_size)} bytes"),
        ("engine", f"{document.engine} - {words.ENGINES.get(document.engine, 'unknown to this report')}"),
        ("model", f"{document.model} - {words.MODELS.get(document.model, 'unknown to this report')}"),
        ("base plan", document.base),
        ("executions", f"{_limit(document)}; seed {document.seed}"),
        *([("sample", f"{count(document.sample)} executions of a plan, for crossings")] if document.sample else []),
        ("in all", f"{count(document.trials)} trials, {count(document.total_executions)} executions"),
    ]
    if document.off_trial is not None:
        of = "" if document.off_trial.proof else " of the executions find something"
        pairs.append(("off", f"{_rate(document.off_trial)}{of}"))
    if document.timing:
        pairs.append(("run", f"{document.timing.started}, took {words.seconds(document.timing.seconds)}"))
    if document.host:
        pairs.append(("host", "; ".join(f"{key} {value}" for key, value in document.host.items())))
    return pairs


def legend(document: Ablation) -> Sequence[str]:
    return PROOF_LEGEND if document.engine == "exhaustive" else LEGEND


def _limit(document: Ablation) -> str:
    if document.engine == "exhaustive":
        limit = f"at most {count(document.executions)}" if document.executions else "all"
        return f"{limit} of a trial, fewer where there was a finding"
    return f"{count(document.executions)} a trial, fewer where there were findings"


def sets(document: Ablation) -> list[str]:
    """One line for each minimal set: what to give to `race run --barriers`."""
    return [kept.trial.plan if kept.trial else ", ".join(kept.sites) for kept in document.minimal]


def render(document: Ablation, to: Screen) -> None:
    terminal.show(Group(*_sections(printable(document))), to)


def _sections(document: Ablation) -> Iterator[RenderableType]:
    yield Text(f"race ablate {document.scenario.name}", style="bold")
    yield terminal.pairs(asked(document))
    yield Text()
    table = Table(box=terminal.BOX, pad_edge=False, show_edge=False, padding=0)
    for i, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if 2 <= i <= 5 else "left", no_wrap=i == 0)
    for site in rows(document):
        *most, verdict = cells(document, site)
        table.add_row(*map(Text, most), Text(verdict, style=VERDICT_STYLES[verdict]))
    yield Padding(table, (0, 0, 0, 2))
    yield Padding(Text("\n" + "\n".join(legend(document)), style="dim"), (0, 0, 0, 2))
    if more := not_crossed(document):
        yield Padding(Text(f"\n{more}"), (0, 0, 0, 2))
    yield from terminal.bullets("What was shown", document.conclusions)
    if document.bounds:
        yield from terminal.bullets("Within these bounds", document.bounds)
    yield from terminal.bullets("What was not shown", document.not_shown)
    if not document.finished:
        yield Text(f"\nNot finished: {document.ended or 'it ended early'}", style="bold yellow")


def render_markdown(document: Ablation) -> str:
    return "\n".join(_lines(printable(document))) + "\n"


def _lines(document: Ablation) -> Iterator[str]:
    escaped, code = markdown.escaped, markdown.code
    state = "" if document.finished else f": not finished, {escaped(document.ended)}"
    yield f"## {ICONS[document.finished]} race ablate {escaped(document.scenario.name)}{state}"
    yield ""
    yield from (f"- {escaped(line)}" for line in document.conclusions)
    yield ""
    body = [[code(site.site), *map(escaped, cells(document, site)[1:])] for site in rows(document)]
    yield from markdown.table([list(COLUMNS), *body])
    yield from ["", *(f"{escaped(line)}  " for line in legend(document))]
    if more := not_crossed(document):
        yield from ["", escaped(more)]
    for heading, lines in (
        ("Minimal sets", [code(plan) for plan in sets(document)]),
        ("Within these bounds", [escaped(line) for line in document.bounds]),
        ("What was not shown", [escaped(line) for line in document.not_shown]),
        ("What was asked", [escaped(f"{label}: {text}") for label, text in asked(document)]),
    ):
        yield from _list(heading, lines)


def _list(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ["", f"### {heading}", "", *(f"- {line}" for line in lines)]


def _share(n: int | None, of: int) -> str:
    return "-" if n is None or not of else _percent(n / of) if n else "0"


def _percent(share: float) -> str:
    """Two digits, to fit a table."""
    value = share * 100
    return f"{value:.0f} %" if value >= 10 else f"{value:.{1 if value >= 1 else 2 if value >= 0.1 else 3}f} %"


def _rate(trial: TrialRecord | None) -> str:
    if trial is None:
        return "-"
    if trial.rate is None:
        return trial.proof or "-"
    return _percent(trial.rate.rate) if trial.hits else "nothing"
