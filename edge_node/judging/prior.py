"""The fleet's prior that a configuration names: verified like any bundle, and of the right kind."""

from __future__ import annotations

from edge_node.config import NodeConfig
from vibro.assets import Machine
from vibro.bundle import Bundle, check_golden, decode
from vibro.errors import BadInputError
from vibro.features.table import SCHEMA_HASH


def prior_of(config: NodeConfig, machine: Machine) -> Bundle | None:
    """Return the prior that ``learning.prior`` names; None where it names none.

    One of another feature schema is left out: the node was updated since, and learning without a
    prior is better than not running.

    Raises
    ------
    BadInputError
        If the file cannot be read, is damaged, or holds something else than a prior of the
        machine's class.
    """
    if not config.learning.prior:
        return None
    file = config.path(config.learning.prior)
    try:
        bundle = decode(file.read_bytes())
        check_golden(bundle)
    except OSError as error:
        raise BadInputError(f"learning.prior: {file}: cannot be read ({error.strerror})") from None
    except BadInputError as error:
        raise BadInputError(f"learning.prior: {file}: {error}") from None
    if not bundle.is_prior or bundle.machine_class != machine.machine_class:
        raise BadInputError(
            f"learning.prior: {file}: holds {bundle.site}/{bundle.machine_class}, not the prior of "
            f"class {machine.machine_class}"
        )
    return bundle if bundle.schema_hash == SCHEMA_HASH else None
