"""Programs that the agent runs."""

from metalpool_agent import programs


def test_output():
    assert programs.output("printf", "%s-%s", "a", "b") == "a-b"


def test_an_error_is_none():
    assert programs.output("false") is None
    assert programs.output("sh", "-c", "echo said; exit 3") is None
    assert programs.output("/no/such/program") is None


def test_a_lot_of_output():
    assert len(programs.output("head", "-c", "300000", "/dev/zero")) == 300000
