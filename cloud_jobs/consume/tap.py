"""What else wants to hear of each batch: a sink that holds up nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from vibro.log import Place
from vibro.records import Record

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class Tap(Protocol):
    """A sink beside lake and store, such as a time series, told what they have kept.

    A consumer that dies between its transaction and the call has not told: a tap that must not
    miss anything remembers with its data how far it came, and asks lake and store for the rest.
    """

    def assigned(self, after: Mapping[Place, int]) -> None:
        """Take note behind which offset the consumer goes on with places, before it does.

        They are newly this consumer's, or it reads them again.
        """

    def take(
        self, reached: Mapping[Place, int], records: Sequence[tuple[Place, int, Record]]
    ) -> None:
        """Take the admitted records of one batch, each with the place and offset it came from.

        Never blocks and never raises: what there is no room for is counted and dropped.

        Parameters
        ----------
        reached : mapping of Place to int
            Offset up to which lake and store hold everything of each place of the batch, also
            where none of its messages was admitted.
        records : sequence of (Place, int, Record)
            In the order of their offsets within each place; repeats are not among them.
        """

    def collect(self) -> Iterable[Metric]:
        """Return its metrics for Prometheus."""

    def close(self) -> None:
        """Send what is held, within a bounded time, and end."""
