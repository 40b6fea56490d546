"""A small certificate authority: who may speak to the broker, for how long, and who no longer."""

from cloud_jobs.authority.authority import Authority, Issued, Wish, ledger_of, make, revoke

__all__ = ["Authority", "Issued", "Wish", "ledger_of", "make", "revoke"]
