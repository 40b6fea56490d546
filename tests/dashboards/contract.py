"""A small server that keeps Grafana's word: its HTTP API as documented, as far as a push needs it.

It is no Grafana: it draws nothing and evaluates nothing. What it answers, and refuses, is what a
Grafana answers: folders, dashboards with versions, datasources, rule groups with their provenance.
Like a Grafana it keeps what it is given, adds members of its own, and counts versions.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]
Answer = tuple[int, Any]
EDITOR, VIEWER = "glsa_editor-of-the-tests", "glsa_viewer-of-the-tests"
INVALID = (401, {"message": "Invalid API key", "messageId": "api-key.invalid", "statusCode": 401})
NOT_ALLOWED = (403, {"message": "You'll need additional permissions to perform this action."})
STALE, MISMATCH = "The dashboard has been changed by someone else", "version-mismatch"
TAKEN = "A dashboard with the same name in the folder already exists"
MOST_UID = 40


class Contract:
    """The server; as a context manager it listens on a free port of 127.0.0.1.

    Parameters
    ----------
    certificate : tuple of Path, optional
        Certificate and key: it then speaks TLS.

    Attributes
    ----------
    writes : list of (str, str)
        Method and path of every request that changed something.
    provisioned : set of str
        Uids of dashboards that come from files.
    file_rules : bool
        Whether the rules come from a file.
    """

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.folders: dict[str, Json] = {}
        self.boards: dict[str, Json] = {}
        self.datasources: dict[str, Json] = {}
        self.groups: dict[tuple[str, str], Json] = {}
        self.writes: list[tuple[str, str]] = []
        self.provisioned: set[str] = set()
        self.file_rules = False
        self.before_save: Callable[[], None] = lambda: None
        self._count = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Contract:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -- requests --------------------------------------------------------------------------------

    def answer(self, method: str, target: str, headers: Any, body: Any) -> Answer:
        """Return status and body of the answer to one request."""
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in (EDITOR, VIEWER):
            return INVALID
        if method != "GET" and token == VIEWER:
            return NOT_ALLOWED
        parts = urlsplit(target)
        for verb, pattern, act in self._routes():
            found = re.fullmatch(pattern, parts.path)
            if verb == method and found:
                names = [unquote(n) for n in found.groups()]
                if method != "GET":
                    self.before_save()
                    self.writes.append((method, parts.path))
                return act(*names, query=parse_qs(parts.query), body=body, headers=headers)
        return 404, {"message": "Not found"}

    def _routes(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        group = r"/api/v1/provisioning/folder/([^/]+)/rule-groups/([^/]+)"
        return [
            ("GET", "/api/folders/([^/]+)", self._folder),
            ("POST", "/api/folders", self._make_folder),
            ("DELETE", "/api/folders/([^/]+)", self._drop_folder),
            ("GET", "/api/search", self._search),
            ("GET", "/api/dashboards/uid/([^/]+)", self._board),
            ("POST", "/api/dashboards/db", self._save_board),
            ("DELETE", "/api/dashboards/uid/([^/]+)", self._drop_board),
            ("GET", "/api/datasources/uid/([^/]+)", self._datasource),
            ("POST", "/api/datasources", self._make_datasource),
            ("GET", group, self._group),
            ("PUT", group, self._save_group),
        ]

    # -- folders and datasources -----------------------------------------------------------------

    def _folder(self, uid: str, **_: Any) -> Answer:
        held = self.folders.get(uid)
        return (200, held) if held else (404, {"message": "folder not found"})

    def _make_folder(self, *, body: Json, **_: Any) -> Answer:
        uid = body["uid"]
        if uid in self.folders:
            return 412, {"message": "the folder has been changed by someone else"}
        self.folders[uid] = {"id": self._number(), "uid": uid, "title": body["title"], "version": 1}
        return 200, self.folders[uid]

    def _drop_folder(self, uid: str, **_: Any) -> Answer:
        self.folders.pop(uid, None)
        self.boards = {u: b for u, b in self.boards.items() if b["meta"]["folderUid"] != uid}
        self.groups = {k: g for k, g in self.groups.items() if k[0] != uid}
        return 200, {"message": "Folder deleted"}

    def _datasource(self, uid: str, **_: Any) -> Answer:
        held = self.datasources.get(uid)
        return (200, held) if held else (404, {"message": "Data source not found"})

    def _make_datasource(self, *, body: Json, **_: Any) -> Answer:
        shown = {k: v for k, v in body.items() if k != "secureJsonData"}
        self.datasources[body["uid"]] = {**shown, "id": self._number(), "readOnly": False}
        return 200, {"datasource": self.datasources[body["uid"]]}

    # -- dashboards ------------------------------------------------------------------------------

    def _search(self, *, query: dict[str, list[str]], **_: Any) -> Answer:
        tags = query.get("tag", [])
        found = [
            {"uid": u, "title": b["dashboard"]["title"], "folderUid": b["meta"]["folderUid"]}
            for u, b in self.boards.items()
            if set(tags) <= set(b["dashboard"].get("tags", []))
        ]
        return 200, found

    def _board(self, uid: str, **_: Any) -> Answer:
        held = self.boards.get(uid)
        return (200, held) if held else (404, {"message": "Dashboard not found"})

    def _drop_board(self, uid: str, **_: Any) -> Answer:
        self.boards.pop(uid, None)
        return 200, {"message": "Dashboard deleted"}

    def _save_board(self, *, body: Json, **_: Any) -> Answer:
        board, folder = body["dashboard"], body.get("folderUid", "")
        refusal = self._board_refusal(board, folder, overwrite=body.get("overwrite", False))
        if refusal:
            return refusal
        held = self.boards.get(board["uid"])
        version = held["dashboard"]["version"] + 1 if held else 1
        number = held["dashboard"]["id"] if held else self._number()
        self.put_board(board, folder, version, number)
        uid = board["uid"]
        return 200, {"uid": uid, "id": number, "version": version, "status": "success"}

    def put_board(self, board: Json, folder: str, version: int = 1, number: int = 0) -> None:
        """Keep a dashboard as a Grafana does that has saved it, or read it from a file."""
        uid = board["uid"]
        self.boards[uid] = {
            "dashboard": {"preload": False, **deepcopy(board), "id": number, "version": version},
            "meta": {
                "folderUid": folder,
                "version": version,
                "provisioned": uid in self.provisioned,
                "canSave": uid not in self.provisioned,
            },
        }

    def _board_refusal(self, board: Json, folder: str, *, overwrite: bool) -> Answer | None:
        held = self.boards.get(board["uid"])
        theirs = held["dashboard"]["version"] if held else None
        others = [b for u, b in self.boards.items() if u != board["uid"]]
        names = [(b["meta"]["folderUid"], b["dashboard"]["title"]) for b in others]
        reasons = (
            (not board.get("title"), 400, "Dashboard title cannot be empty", "empty-name"),
            (len(board["uid"]) > MOST_UID, 400, "uid too long, max 40 characters", ""),
            (bool(folder) and folder not in self.folders, 404, "folder not found", ""),
            (board["uid"] in self.provisioned, 400, "Cannot save provisioned dashboard", ""),
            (held and not overwrite and board.get("version", 0) != theirs, 412, STALE, MISMATCH),
            ((folder, board["title"]) in names and not overwrite, 412, TAKEN, "name-exists"),
        )
        return next(
            ((code, {"message": m, "status": s}) for holds, code, m, s in reasons if holds), None
        )

    # -- rules -----------------------------------------------------------------------------------

    def _group(self, folder: str, title: str, **_: Any) -> Answer:
        held = self.groups.get((folder, title))
        return (200, held) if held else (404, {"message": ""})

    def _save_group(self, folder: str, title: str, *, body: Json, headers: Any, **_: Any) -> Answer:
        if self.file_rules:
            text = "cannot change provenance from 'file' to ''"
            return 409, {"message": text, "messageId": "alerting.provenanceMismatch"}
        if body["interval"] % 10:
            return 400, {"message": "interval should be divided exactly by scheduler interval: 10"}
        if folder not in self.folders:
            return 400, {"message": "folder does not exist"}
        free = headers.get("X-Disable-Provenance") == "true"
        self.put_group(body, "" if free else "api")
        return 200, self.groups[folder, title]

    def put_group(self, group: Json, provenance: str = "") -> None:
        """Keep a group of rules as a Grafana does."""
        kept = deepcopy(group)
        for rule in kept["rules"]:
            rule.update(id=self._number(), updated="2026-01-01T00:00:00Z", provenance=provenance)
            for query in rule["data"]:
                query["queryType"] = ""
                query["model"] = {"hide": False, "intervalMs": 1000, **query["model"]}
        self.groups[group["folderUid"], group["title"]] = kept

    def _number(self) -> int:
        self._count += 1
        return self._count


def _handler(contract: Contract) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body leave together

        def _do(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else None
            status, told = contract.answer(self.command, self.path, self.headers, body)
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 (the library's names)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    return Handler
