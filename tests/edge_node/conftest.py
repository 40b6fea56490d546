"""A spool file that may be opened again and again, and a node that has lived."""

from __future__ import annotations

import pytest

from edge_node.spool import Spool
from tests.edge_node.plants import ArraySource, eventful, node_of, run, trained
from tests.edge_node.spools import NO_BOUND


@pytest.fixture
def opened(tmp_path):
    """Opens the one spool file, with any bounds, as often as wanted."""
    found: list[Spool] = []

    def open_it(max_bytes: int = NO_BOUND, max_age_ns: int = NO_BOUND) -> Spool:
        found.append(Spool(tmp_path / "node" / "spool.db", max_bytes, max_age_ns))
        return found[-1]

    yield open_it
    for spool in found:
        spool.close()


@pytest.fixture(scope="session")
def story(tmp_path_factory):
    """A node that lived through everything, with its spool."""
    node = node_of(tmp_path_factory.mktemp("story"), ArraySource(*eventful()), trained())
    run(node)
    yield node
    node.spool.close()
