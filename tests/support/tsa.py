"""A timestamp authority (RFC 3161) on this machine: `openssl ts -reply` behind a small HTTP server."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

_CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[leaf]
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = tsa_settings
[tsa_settings]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


class LocalTsa:
    """An authority of its own.

    Args:
        folder: for its keys; made if missing.
        name: of its root.
    """

    def __init__(self, folder: Path, name: str = "Fictional Timestamps") -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self.root = folder / "root.pem"
        self.answer: Callable[[bytes], bytes] = self.reply
        """What it says to a query; a test may have it say something else."""
        self.status = 200
        self.url = ""
        (folder / "openssl.cnf").write_text(_CONFIGURATION.format(folder=folder, name=name))
        (folder / "serial").write_text("01\n")
        new = "req -new -newkey rsa:2048 -nodes -config openssl.cnf"
        issuer = "-CA root.pem -CAkey root.key -set_serial 2"
        for command in (
            f"{new} -x509 -days 3650 -extensions root -keyout root.key -out root.pem",
            f"{new} -subj /CN=tsa -keyout tsa.key -out tsa.csr",
            f"x509 -req -in tsa.csr {issuer} -days 30 -extfile openssl.cnf -extensions leaf -out tsa.pem",
        ):
            subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)

    def reply(self, query: bytes) -> bytes:
        """The response to a query."""
        (self._folder / "query").write_bytes(query)
        command = "ts -reply -config openssl.cnf -section tsa_settings -queryfile query -out response"
        subprocess.run(["openssl", *command.split()], cwd=self._folder, check=True, capture_output=True)
        return (self._folder / "response").read_bytes()

    @contextmanager
    def serving(self) -> Iterator[LocalTsa]:
        """Answer at `url`."""
        tsa = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's name
                query = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/timestamp-query"
                content = tsa.answer(query)
                self.send_response(tsa.status)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: object) -> None:
                """Nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}/"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
