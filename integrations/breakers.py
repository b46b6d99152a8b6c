"""The breakers of one process, by source."""

from integrations.breaker import Breaker
from integrations.errors import SourceResting


class Breakers:
    def __init__(self) -> None:
        self._by_source: dict[str, Breaker] = {}

    def of(self, source: str) -> Breaker:
        return self._by_source.get(source) or Breaker()

    def ask(self, source: str, now: float) -> None:
        """Raises SourceResting when nobody is let through now."""
        breaker = self.of(source)
        let_through = breaker.asked(now)
        if let_through is None:
            raise SourceResting(
                f"the source {source} failed {breaker.failures} times in a row and is not asked for a moment",
                remedy="call again later",
                rule=f"source.{source}.breaker",
                owner="the operator",
                retry_after_s=max(1, round(breaker.until - now)),
            )
        self._by_source[source] = let_through

    def answered(self, source: str) -> None:
        self._by_source[source] = self.of(source).answered()

    def failed(self, source: str, now: float) -> None:
        self._by_source[source] = self.of(source).failed(now)
