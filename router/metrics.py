"""Plain numbers as Prometheus' metric families."""

from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from agi.server import FastAgiServer
from agi.statistics import BUCKET_SECONDS


def counter(name: str, text: str, value: float) -> CounterMetricFamily:
    """A counter without labels."""
    return CounterMetricFamily(f"leaseline_{name}", text, value=value)


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    """A gauge without labels."""
    return GaugeMetricFamily(f"leaseline_{name}", text, value=value)


def fastagi_figures(server: FastAgiServer) -> list[Metric]:
    """How the dialplan's questions ended, and how long the answers took."""
    outcomes = CounterMetricFamily(
        "leaseline_route_requests", "FastAGI connections by how they ended", labels=["outcome"]
    )
    for outcome, count in server.statistics.outcomes.items():
        outcomes.add_metric([outcome.value], count)
    latency = server.statistics.latency
    bounds = [*(f"{bound:g}" for bound in BUCKET_SECONDS), "+Inf"]
    histogram = HistogramMetricFamily("leaseline_route_seconds", "From the whole question to its answer")
    histogram.add_metric(
        [], list(zip(bounds, accumulate(latency.buckets), strict=True)), sum_value=latency.sum_seconds
    )
    return [
        outcomes,
        gauge("route_connections", "FastAGI connections open now", server.connections),
        histogram,
    ]
