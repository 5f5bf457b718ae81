"""A service that answers /boot/ over HTTPS and remembers who asked what, in the inventory service's place."""

from __future__ import annotations

import datetime
import http.server
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificate(directory: Path, stem: str, host: str) -> Path:
    """Makes a self-signed certificate for `host`, in STEM.pem beside STEM.key; returns the certificate's path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{stem} of the tests")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now - day).not_valid_after(now + day)
                   .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), False)
                   .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256()))
    (directory / f"{stem}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / f"{stem}.key").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return directory / f"{stem}.pem"


class StandIn:
    """The server; give `answers` a list of (status, script), taken in turn, the last one for ever."""

    def __init__(self, directory: Path) -> None:
        self.ca_file = make_certificate(directory, "service", "localhost")
        self.answers: list[tuple[int, str]] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in.seen.append((self.path, dict(self.headers)))
                status, body = stand_in.answers.pop(0) if len(stand_in.answers) > 1 else stand_in.answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_words: object) -> None:
                """The tests look at `seen`."""

        self.handler = Handler
        self.port = 0
        self.open()
        self.url = f"https://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Listens, on the same port as before."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, self.ca_file.with_suffix(".key"))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def expect(self, *answers: tuple[int, str]) -> None:
        """Forgets what was asked and gives these answers from now on."""
        self.seen.clear()
        self.answers[:] = answers

    def close(self) -> None:
        """Listens no more."""
        self.server.shutdown()
        self.server.server_close()
