"""How long work still takes, learned from what went well."""

from __future__ import annotations

from typing import Any

from metalpool_cli.estimate import Estimate


class Past:
    """An API that knows two deploys, one of which skipped a step."""

    def get(self, _path: str, **query: Any) -> Any:
        assert query["state"] == "succeeded" and query["kind"] == "deploy"
        return {"items": [{"steps": _steps(boot=20.0, write=60.0, site=None)}, {"steps": _steps(boot=30.0, write=80.0, site=4.0)}]}


def _steps(**seconds: float | None) -> list[dict[str, Any]]:
    return [{"name": name, "seconds": spent, "started_at": None, "ended_at": None} for name, spent in seconds.items()]


def test_what_is_left_is_what_the_open_steps_mostly_take() -> None:
    estimate = Estimate.learned(Past(), "deploy")  # type: ignore[arg-type]
    now = {"steps": _steps(boot=25.0, write=10.0, site=None, unheard_of=None)}
    boot, write, *_later = now["steps"]
    boot |= {"started_at": "then", "ended_at": "then"}
    write |= {"started_at": "then"}
    assert estimate.left(now, 0) == 70 - 10 + 4
    assert estimate.left(now, 20) == 70 - 30 + 4
    assert estimate.left(now, 500) == 4, "late, not early"
    assert Estimate({}).left(now, 0) is None
