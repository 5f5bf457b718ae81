"""What Prometheus is told: the only file that imports its client.

What happens (requests, operations that end, nodes that are given) is counted where it happens, after the commit, by each
process in a file of its own when there are several (``shared_metrics.py``); whichever process is asked
adds them up, those of processes that ended included. What IS (nodes by state, the line) is not counted but read from the
database when it is asked for, see ``figures.py``: it is right whoever changed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from inventory_service.shared_metrics import shared_in

__all__ = ["CONTENT_TYPE", "Figure", "counted", "exposition"]

_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
_MINUTES = (10, 30, 60, 120, 180, 300, 600, 1200, 1800, 3600, 7200, 14400)
_WAITS = (0.01, 0.1, 1, 10, 60, 300, 900, 3600, 14400, 86400, 259200, 604800)

_registry = CollectorRegistry()
REQUESTS = Counter("metalpool_http_requests", "Requests answered", ["method", "route", "status"], registry=_registry)
REQUEST_SECONDS = Histogram(
    "metalpool_http_request_seconds", "From the request to its answer, waiting in line included", ["method", "route"],
    buckets=_REQUEST_SECONDS, registry=_registry,
)  # fmt: skip
OPERATION_SECONDS = Histogram(
    "metalpool_operation_seconds", "From the claim of an operation to its end", ["kind", "result"], buckets=_MINUTES, registry=_registry
)
OPERATION_QUEUE_SECONDS = Histogram(
    "metalpool_operation_queue_seconds", "From the request for an operation to its claim", ["kind"], buckets=_WAITS, registry=_registry
)
FAILED_STEPS = Counter("metalpool_operation_failed_steps", "Operations that failed, by the step", ["kind", "step"], registry=_registry)
BMC_ERRORS = Counter("metalpool_bmc_errors", "Operations that failed in a step that is the BMC's", ["kind", "step"], registry=_registry)
ALLOCATION_WAIT_SECONDS = Histogram(
    "metalpool_allocation_wait_seconds", "From the request for a node to having it", ["how"], buckets=_WAITS, registry=_registry
)
ALLOCATION_READY_SECONDS = Histogram(
    "metalpool_allocation_ready_seconds", "From having a node to logging in", buckets=_MINUTES, registry=_registry
)
WEBHOOK_DELIVERIES = Counter("metalpool_webhook_deliveries", "Attempts to deliver an event to a webhook", ["result"], registry=_registry)
STREAMS = Gauge("metalpool_event_streams", "Streams of events that are open", registry=_registry, multiprocess_mode="livesum")
CONNECTIONS = Gauge(
    "metalpool_database_connections", "Connections to the database in use", registry=_registry, multiprocess_mode="livesum"
)


class Figure(NamedTuple):
    """Something that is so now, by labels."""

    name: str
    help: str
    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], float]


def counted() -> list[Metric]:
    """All that is counted, without values that nothing happened for."""
    return list(_registry.collect())


def exposition(figures: Iterable[Figure]) -> bytes:
    """Everything, in the text format."""
    now = CollectorRegistry()
    now.register(_Figures(figures))
    directory, registry = shared_in(), _registry
    if directory is not None:
        _forget_ended(directory)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
    return generate_latest(registry) + generate_latest(now)


def _forget_ended(directory: Path) -> None:
    """What processes that were killed had in use, they have no more."""
    for file in directory.glob("gauge_live*_*.db"):
        if not Path("/proc", file.stem.rpartition("_")[2]).exists():
            file.unlink(missing_ok=True)


class _Figures(Collector):
    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        for one in self._figures:
            family = GaugeMetricFamily(one.name, one.help, labels=one.labels)
            for labels, value in one.values.items():
                family.add_metric(labels, value)
            yield family
