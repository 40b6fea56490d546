"""Grafana's HTTP API as the push needs it, and its refusals as sentences with a remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

import requests
from grafana_api.grafana_api import GrafanaException
from grafana_api.grafana_face import GrafanaFace

from dashboards.catalogue import Json
from vibro.errors import VibroError

TIMEOUT_S = 30.0
EDITABLE = {"X-Disable-Provenance": "true"}
"""Asks Grafana to let people pause and copy the rules that come through its provisioning API."""
_ANY = re.compile("")
_REMEDIES: tuple[tuple[tuple[int, ...], re.Pattern[str], str], ...] = (
    (
        (401,),
        _ANY,
        "the token is refused: make a service account with the role Editor, and put its token into "
        "the file that --token-file names",
    ),
    (
        (400, 403, 409, 500),
        re.compile("provision|provenance", re.IGNORECASE),
        "comes from a file that Grafana reads (provisioned) and cannot be pushed: write the file "
        "anew with `vibro dashboards build`, or take it away and push again",
    ),
    (
        (403,),
        _ANY,
        "the token may not do this: give its service account the role Editor, and for alert rules "
        "the permission 'alert.provisioning:write'",
    ),
    (
        (400, 412),
        re.compile("same name", re.IGNORECASE),
        "another one of the folder is called so: rename or delete it in Grafana, or push into a "
        "folder of its own with --folder",
    ),
    (
        (409, 412),
        _ANY,
        "somebody else has saved it meanwhile: push again to see what would change now",
    ),
)
"""What a refusal means: status, words of Grafana's message, and the remedy."""
T = TypeVar("T")


class Grafana:
    """One Grafana.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``, host, port and path, as in a browser, checked by the caller.
    token : str
        Of a service account.
    ca_file : Path, optional
        Certificates to trust instead of the system's.
    """

    def __init__(self, url: str, token: str, ca_file: Path | None = None) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        path = parts.path.strip("/")
        self._face = GrafanaFace(
            auth=token,
            host=_host(parts.hostname or ""),
            port=parts.port,
            protocol=parts.scheme,
            url_path_prefix=f"{path}/" if path else "",
            verify=str(ca_file) if ca_file else True,
            timeout=TIMEOUT_S,
        )

    # -- folder ----------------------------------------------------------------------------------

    def folder(self, uid: str) -> Json | None:
        """Return a folder, or None where there is none."""
        return self._found(lambda: self._face.folder.get_folder(uid), f"folder '{uid}'")

    def make_folder(self, uid: str, title: str) -> None:
        """Make a folder."""
        with self._worded(f"folder '{title}'"):
            self._face.folder.create_folder(title, uid=uid)

    def has_datasource(self, uid: str) -> bool:
        """Whether there is a datasource of this uid."""
        path = f"/datasources/uid/{quote(uid, safe='')}"
        return self._found(lambda: self._face.api.GET(path), f"datasource '{uid}'") is not None

    # -- dashboards ------------------------------------------------------------------------------

    def board(self, uid: str) -> Json | None:
        """Return ``{"dashboard": ..., "meta": ...}`` as saved, or None where there is none."""
        return self._found(lambda: self._face.dashboard.get_dashboard(uid), f"dashboard '{uid}'")

    def save(self, board: Json, folder_uid: str, version: int | None) -> int:
        """Save a dashboard over the version that was read; return the new version.

        Raises
        ------
        VibroError
            If somebody has saved another one meanwhile, or it comes from a file.
        """
        known = {} if version is None else {"version": version}
        body = {
            "dashboard": {**board, "id": None, **known},
            "folderUid": folder_uid,
            "overwrite": False,
            "message": "vibro dashboards push",
        }
        with self._worded(f"dashboard '{board['title']}'"):
            return int(self._face.dashboard.update_dashboard(body)["version"])

    # -- rules -----------------------------------------------------------------------------------

    def group(self, folder_uid: str, title: str) -> Json | None:
        """Return a group of alert rules, or None where there is none."""
        path = self._group_path(folder_uid, title)
        return self._found(lambda: self._face.api.GET(path), f"rule group '{title}'")

    def save_group(self, group: Json) -> None:
        """Replace a group of alert rules."""
        path = self._group_path(group["folderUid"], group["title"])
        with self._worded(f"rule group '{group['title']}'"):
            self._face.api.PUT(path, json=group, headers=EDITABLE)

    @staticmethod
    def _group_path(folder_uid: str, title: str) -> str:
        name = quote(title, safe="")
        return f"/v1/provisioning/folder/{quote(folder_uid, safe='')}/rule-groups/{name}"

    # -- refusals --------------------------------------------------------------------------------

    def _found(self, ask: Callable[[], T], what: str) -> T | None:
        try:
            with self._worded(what):
                return ask()
        except _MissingError:
            return None

    @contextmanager
    def _worded(self, what: str) -> Iterator[None]:
        try:
            yield
        except GrafanaException as error:
            raise self._refusal(error, what) from None
        except requests.exceptions.SSLError as error:
            raise VibroError(
                f"Grafana {self.url}: its certificate is not trusted ({_reason(error)}): name the "
                "authority that signed it with --ca-file"
            ) from None
        except requests.exceptions.JSONDecodeError:
            raise VibroError(
                f"Grafana {self.url} does not answer as Grafana's API does: is --url right?"
            ) from None
        except requests.exceptions.RequestException as error:
            raise VibroError(
                f"Grafana {self.url} does not answer ({type(error).__name__}): is it running, and "
                "is --url right?"
            ) from None

    def _refusal(self, error: GrafanaException, what: str) -> VibroError:
        code, said = error.status_code, _said(error)
        kind = _MissingError if code == 404 else VibroError
        remedy = next(
            (r for codes, words, r in _REMEDIES if code in codes and words.search(said)), ""
        )
        return kind(f"Grafana {self.url}: {what}: {remedy or said} ({code}: {said})")


class _MissingError(VibroError):
    """Grafana has no such thing."""


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _reason(error: Exception) -> str:
    text = str(error)
    return text.split("certificate verify failed: ", 1)[-1].split(" (_ssl", 1)[0][:120]


def _said(error: GrafanaException) -> str:
    answer = error.response
    said = answer.get("message", "") if isinstance(answer, dict) else str(answer)
    return " ".join(str(said).split())[:300] or "no reason given"
