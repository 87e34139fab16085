"""The cause of a finding: the shortest execution that shows it, or the reason why there is none."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from race import cause, replay, token
from race.native import Catalog
from race.results import Document, load
from tests.conftest import RunRace


@pytest.fixture
def document(run_race: RunRace, tmp_path: Path) -> Document:
    path = tmp_path / "out.json"
    options = ("--page-size", "256", "--executions", "1000", "--jobs", "1")
    run_race("compare", "freeobj-corruption", *options, "--json", path)
    return load(path)


def test_the_shortest_of_each_oracle(document: Document, known: Catalog) -> None:
    causes = cause.shortest(document, known)
    assert [(one.arm, one.finding.oracle) for one in causes] == list(
        dict.fromkeys((arm.plan, finding.oracle) for arm in document.arms for finding in arm.findings)
    )
    for one in causes:
        assert one.why_not == ""
        assert one.size is not None
        assert one.before is not None
        assert one.size.deviations <= one.before.deviations
        assert one.finding.steps
        again = replay.run(
            replay.subject(token.decode(one.token), known),
            known,
            minimise=False,
            changed=None,
            stop=threading.Event(),
            progress=lambda *_: None,
        )
        assert again.replayed.finding is not None
        assert again.replayed.finding.oracle == one.finding.oracle
        assert again.replayed.finding.value == one.finding.value
    garbage = next(one for one in causes if one.finding.oracle == "garbage-freeobj")
    assert garbage.size is not None
    assert garbage.size.reorderings <= 2
    assert garbage.size.switches <= 3


def test_what_does_not_fit_gives_a_reason(document: Document, known: Catalog) -> None:
    document.arms = document.arms[:1]
    document.arms[0].findings = document.arms[0].findings[:1]
    finding = document.arms[0].findings[0]

    def why_not(text: str) -> str:
        finding.token = text
        (one,) = cause.shortest(document, known)
        assert one.finding is finding
        assert one.size is None
        return one.why_not

    right = token.decode(finding.token)
    assert "damaged" in why_not(finding.token[:-1] + "?")
    assert why_not("") == "the result has no replay token of it"
    for wrong, reason in (
        ({"sha256": "00" * 8}, "is not the one that the token was made with"),
        ({"scenario": "gone"}, 'scenario "gone" does not come with this program'),
        ({"deviations": {}}, "its token gives nothing now"),
        ({"deviations": {"fail": [12345, 1]}}, "the execution went another way than its token says"),
    ):
        assert reason in why_not(token.encode(token.Token(**vars(right) | wrong)))


def test_an_interrupted_one_is_as_it_was_recorded(document: Document, known: Catalog) -> None:
    stop = threading.Event()
    stop.set()
    causes = cause.shortest(document, known, stop)
    assert causes
    for one in causes:
        assert one.why_not == "interrupted before it was shrunk"
        assert one.finding.token == one.token
