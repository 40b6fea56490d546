"""What the services must hold before a plant can run: found out, shown, then made."""

from cloud_jobs.setup.changes import Change, apply

__all__ = ["Change", "apply"]
