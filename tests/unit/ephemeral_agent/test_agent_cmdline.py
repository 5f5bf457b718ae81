"""What the agent takes from the kernel's command line."""

import pytest
from metalpool_agent import cmdline


def test_operation():
    words = cmdline.parse("quiet metalpool.url=http://r/boot/ metalpool.mode=operation metalpool.boot=b console=ttyS0,115200")
    assert words == {"url": "http://r/boot", "mode": "operation", "boot": "b"}


def test_enlist_needs_no_boot():
    assert cmdline.parse("metalpool.url=http://r/boot metalpool.mode=enlist")["mode"] == "enlist"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("metalpool.mode=enlist", "metalpool.url"),
        ("metalpool.url=https://r/boot metalpool.mode=enlist", "http://"),
        ("metalpool.url=http://r/boot metalpool.mode=play", "enlist and operation"),
        ("metalpool.url=http://r/boot metalpool.mode=operation", "metalpool.boot"),
    ],
)
def test_refused_with_the_word_that_is_wrong(line, named):
    with pytest.raises(cmdline.CommandLineError, match=named):
        cmdline.parse(line)
