"""What the documents show of the service's tables is what the tables say."""

from __future__ import annotations

import re
from pathlib import Path

from inventory_service.models.node import STATES
from inventory_service.states import TRANSITIONS
from inventory_service.steps import STEPS

DOCS = Path(__file__).parents[2] / "docs"
MOVES = [(before, verb, after) for (before, verb), after in TRANSITIONS.items()]


def test_the_table_of_states_is_the_one_in_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|$", (DOCS / "states.md").read_text(), re.MULTILINE)
    assert rows == MOVES


def test_the_graph_of_states_is_the_one_in_the_code() -> None:
    edges = re.findall(r"^    (\w+) --> (\w+): (\w+)$", (DOCS / "states.md").read_text(), re.MULTILINE)
    assert [(before, verb, after) for before, after, verb in edges] == MOVES


def test_every_state_is_explained() -> None:
    explained = re.findall(r"^\| `(\w+)\*?` \| [^`]", (DOCS / "states.md").read_text(), re.MULTILINE)
    assert {state if not state.startswith("failed_") else "failed_" for state in STATES} == set(explained)


def test_the_table_of_steps_is_the_one_in_the_code() -> None:
    text = (DOCS / "operations-guide.md").read_text()
    rows = re.findall(r"^\| `(\w+)\.(\w+)` \| ([^|`]+) \| (\d+) \|$", text, re.MULTILINE)
    assert rows == [(kind, step.name, step.title, str(step.limit_seconds)) for kind, steps in STEPS.items() for step in steps]
