"""Who answers for a message: DKIM signatures (RFC 6376, RFC 8463), RSA and Ed25519, relaxed/relaxed.

What all messages of a variant share is brought into its canonical form once; a message then costs one hash of its body
and one signature a key. Imported only where something is signed: ``cryptography`` takes its time to load.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from content.errors import ConfigError

if TYPE_CHECKING:
    from _hashlib import HASH

_BLANKS = re.compile(rb"[ \t]+")
_WIDTH = 72


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the name under which its domain publishes the public one."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def kind(self) -> str:
        """As ``k=`` says it."""
        return "rsa" if isinstance(self.private, RSAPrivateKey) else "ed25519"

    @property
    def name(self) -> str:
        """Where in the domain name system the public key belongs."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def public(self) -> str:
        """The public key as ``p=`` says it: SubjectPublicKeyInfo for RSA, the bare 32 octets for Ed25519."""
        public = self.private.public_key()
        if self.kind == "rsa":
            return b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode("ascii")
        return b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode("ascii")

    @property
    def record(self) -> str:
        """The text of the TXT record that publishes the key."""
        return f"v=DKIM1; k={self.kind}; p={self.public}"

    def signer(self) -> Callable[[bytes], bytes]:
        """What signs a SHA-256 digest: RSA the digest as such, Ed25519 its octets as a message (RFC 8463 3)."""
        private = self.private
        if isinstance(private, Ed25519PrivateKey):
            return private.sign
        padding, hashed = PKCS1v15(), Prehashed(SHA256())
        return lambda digest: private.sign(digest, padding, hashed)


def load_key(path: Path, selector: str, domain: str) -> SigningKey:
    """The key in a PEM file. Raises ``ConfigError`` for one that others may read, or that DKIM does not know."""
    try:
        status = path.stat()
        if status.st_mode & 0o027:
            raise ConfigError(f"{path}: others than its owner may use this DKIM key; run `chmod 600 {path}`")
        return _parsed(path, status.st_mtime_ns, selector, domain)
    except OSError as error:
        raise ConfigError(f"{path}: the DKIM key cannot be read ({error.strerror})") from None


@lru_cache(maxsize=16)
def _parsed(path: Path, changed: int, selector: str, domain: str) -> SigningKey:
    """Kept until the file is ``changed``: that a key is sound takes longer to see than a hundred messages to sign."""
    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        said = str(error).partition(".")[0]
        raise ConfigError(f"{path}: is no private key in PEM form without a password ({said})") from None
    if not isinstance(private, RSAPrivateKey | Ed25519PrivateKey):
        raise ConfigError(f"{path}: DKIM knows RSA and Ed25519 keys, and this is another kind")
    if isinstance(private, RSAPrivateKey) and private.key_size < 1024:
        raise ConfigError(f"{path}: an RSA key of {private.key_size} bits is refused by receivers (RFC 8301); make one of 2048")
    return SigningKey(domain, selector, private)


class Seal:
    """Signs the messages of one variant."""

    def __init__(
        self, keys: Sequence[SigningKey], fields: Iterable[bytes], own: Sequence[str], literals: Sequence[bytes]
    ) -> None:
        """``fields`` stand in every message alike, ``own`` names those that each has for itself.

        ``literals`` stand around the body's slots; each begins a line, no dot is stuffed.
        """
        shared = [relaxed_field(field) for field in fields]
        names = [field.partition(b":")[0].decode("ascii") for field in shared] + [name.lower() for name in own]
        # From once more than it is there: a second one, added on the way, breaks the signature (RFC 6376 8.15).
        self._signed = _folded([*names, "from"])
        self._head = sha256(b"".join(shared))
        first, *self._rest = [relaxed_lines(literal) for literal in literals]
        # What stands before the first slot is hashed once.
        self._body = sha256(first)
        self._keys = [(_opening(key), key.signer()) for key in keys]

    def sign(self, own: Sequence[bytes], slots: Sequence[bytes], seconds: int) -> bytes:
        """The DKIM-Signature fields of the message with these fields of its ``own``, in their order, and these ``slots``."""
        body = self._body.copy()
        for slot, literal in zip(slots, self._rest, strict=True):
            body.update(slot if b" " not in slot else relaxed_lines(slot))
            body.update(literal)
        head = self._head.copy()
        head.update(b"".join([relaxed_field(field) for field in own]))
        hashed = b64encode(body.digest()).decode("ascii")
        end = f"t={seconds};\r\n h={self._signed};\r\n bh={hashed};\r\n b=".encode("ascii")
        return b"".join(_signature(opening + end, head.copy(), sign) for opening, sign in self._keys)


def _opening(key: SigningKey) -> bytes:
    kind, domain, selector = key.kind, key.domain, key.selector
    return f"DKIM-Signature: v=1; a={kind}-sha256; c=relaxed/relaxed; d={domain};\r\n s={selector}; ".encode("ascii")


def _signature(field: bytes, head: HASH, sign: Callable[[bytes], bytes]) -> bytes:
    # The field itself is signed with an empty b= and without its line end (RFC 6376 3.7).
    head.update(relaxed_field(field + b"\r\n")[:-2])
    value = b64encode(sign(head.digest()))
    return field + b"\r\n ".join([value[start : start + _WIDTH] for start in range(0, len(value), _WIDTH)]) + b"\r\n"


def relaxed_field(field: bytes) -> bytes:
    """A header field in its relaxed canonical form (RFC 6376 3.4.2)."""
    name, _, value = field.partition(b":")
    return name.strip().lower() + b":" + b" ".join(value.split()) + b"\r\n"


def relaxed_lines(lines: bytes) -> bytes:
    """Whole lines of a body in their relaxed canonical form (RFC 6376 3.4.4); the last are not empty."""
    if b" " not in lines and b"\t" not in lines:
        return lines
    return _BLANKS.sub(b" ", lines).replace(b" \r\n", b"\r\n")


def _folded(names: Sequence[str]) -> str:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > _WIDTH - 4:
            lines.append("")
        lines[-1] += f"{name}:"
    return "\r\n ".join(lines).removesuffix(":")
