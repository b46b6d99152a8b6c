"""The metrics page, read as Prometheus' own library reads it."""

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain


def families(page: bytes) -> dict[str, Metric]:
    """By name. Whichever of the two forms it has: OpenMetrics says its end."""
    text = page.decode()
    read = open_metrics if text.endswith("# EOF\n") else plain
    return {each.name: each for each in read(text)}


def value(page: bytes, name: str, **labels: str) -> float | None:
    """Of one series; None when it is not there."""
    found = [each.value for each in families(page)[name].samples if each.labels == labels]
    return found[0] if found else None
