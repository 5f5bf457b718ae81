"""The service's own certificate authority and server certificate, for a site that brings none."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from inventory_service import clock
from inventory_service.vault import write_secret

_CA_LIFE = timedelta(days=3650)
_SERVER_LIFE = timedelta(days=825)
_RENEWED_BEFORE = timedelta(days=60)
_CLOCK_SKEW = timedelta(hours=1)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _make_ca(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    now = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name("Metalpool CA"))
        .issuer_name(_name("Metalpool CA"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_secret(directory / "ca.key", _pem(key))
    (directory / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _make_server(directory: Path, names: list[str]) -> None:
    ca_key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{directory / 'ca.key'} is not an elliptic curve key")
    ca = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    now = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(names[0]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _SERVER_LIFE)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    write_secret(directory / "server.key", _pem(key))
    (directory / "server.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _still_good(certificate_file: Path, names: list[str]) -> bool:
    """Whether the certificate holds all the names, and for a while yet."""
    certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    lasts = certificate.not_valid_after_utc > clock.now() + _RENEWED_BEFORE
    return lasts and set(names) <= {str(name.value) for name in held}


def ensure_certificates(directory: Path, server_names: Iterable[str]) -> list[str]:
    """Make what is missing: the CA, and a server certificate that holds all the names and has not nearly expired.

    :param server_names: DNS names and addresses by which clients reach the service
    :returns: what was made, for people
    """
    names = list(dict.fromkeys(server_names))
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    made: list[str] = []
    if not (directory / "ca.crt").exists() or not (directory / "ca.key").exists():
        _make_ca(directory)
        (directory / "server.crt").unlink(missing_ok=True)
        made.append("certificate authority")
    server = directory / "server.crt"
    if not server.exists() or not _still_good(server, names):
        _make_server(directory, names)
        made.append("server certificate")
    return made
