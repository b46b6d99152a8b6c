"""What a delivery costs of its agreement's limits: one call for each time that it is asked for, however many attempts
that takes. Who counts is another room's; here stands what a courier needs of it.
"""

from typing import Protocol

from extract.delivery.subscription import Subscription
from kernel import Grant, PlatformError


class Quota(Protocol):
    def refusal(self, subscription: Subscription, grant: Grant) -> PlatformError | None:
        """What keeps one more from being counted now; None when there is room. Counts nothing."""
        ...

    def count(self, subscription: Subscription, grant: Grant) -> PlatformError | None:
        """Count one more; what kept it from being counted, None when it was."""
        ...
