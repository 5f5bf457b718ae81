"""The nodes and pools of the plain model."""

from __future__ import annotations

from dataclasses import dataclass, field

READY, HELD, RELEASING, STUCK, BROKEN = "ready", "allocated", "releasing", "failed_releasing", "broken"
FAILURE_COST = 1000
TOO_OFTEN, WINDOW = 2, 86400
"""So many allocations whose release failed within so many seconds, and a node is set aside."""


@dataclass(frozen=True)
class ModelPool:
    """What a pool allows, in seconds."""

    lease_required: bool
    lease_max: int
    lease_total: int
    notice: int
    grace: int

    def allows(self, lease: int | None) -> bool:
        """Whether a first lease may be so long."""
        return not self.lease_required if lease is None else lease <= min(self.lease_max, self.lease_total)

    def policy(self) -> dict[str, object]:
        """As the API calls it."""
        return {
            "lease_required": self.lease_required,
            "lease_max_seconds": self.lease_max,
            "lease_total_seconds": self.lease_total,
            "lease_notice_seconds": self.notice,
            "lease_grace_seconds": self.grace,
            "set_aside": [{"kinds": ["release"], "failures": TOO_OFTEN, "window_seconds": WINDOW}],
        }


@dataclass(eq=False)
class ModelNode:
    """A node; ``order`` is that of its making, ``used`` the moment when it was taken last, or made."""

    name: str
    pool: str
    cpus: int
    order: int
    used: float
    state: str = READY
    failures: list[tuple[float, str]] = field(default_factory=list)
    """When, and of which allocation."""
    recent: int = 0
    forgets_at: float | None = None

    @property
    def cost(self) -> int:
        return self.cpus + FAILURE_COST * self.recent

    def fails(self, now: float, allocation: str) -> None:
        self.failures.append((now, allocation))
        self._count(now)

    def fails_too_often(self, now: float) -> bool:
        return len({allocation for _at, allocation in self._counted(now)}) >= TOO_OFTEN

    def is_mended(self) -> None:
        self.failures = []
        self.recent, self.forgets_at = 0, None

    def forgets(self, now: float) -> None:
        """A failure counts until it leaves the window."""
        if self.forgets_at is not None and self.forgets_at <= now:
            self._count(now)

    def _counted(self, now: float) -> list[tuple[float, str]]:
        return sorted(one for one in self.failures if one[0] > now - WINDOW)

    def _count(self, now: float) -> None:
        counted = self._counted(now)
        self.recent = len(counted)
        self.forgets_at = counted[0][0] + WINDOW if counted else None
