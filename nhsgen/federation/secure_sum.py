"""Add up the vectors of several sites so that nobody, the hub included, sees any one of them.

Every two sites agree on a secret and stretch it to one mask; the site that comes first in the roster adds it, the other takes
it away, so in the sum of all sites every mask is gone, and in the sum of any fewer at least one is left (modulo 2^64, where a
masked number is as likely to be any number as any other). After Bonawitz et al., CCS 2017, without recovery from drop-outs:
when a site falls silent the round is dead and a new one begins with fresh keys. The sites are hospitals' servers, not
telephones, and this is the form that can be read in one sitting.

    X25519 (a fresh key a round) -> HKDF-SHA256 (bound to the digest of the round and to the pair) -> ChaCha20 -> mask
    Ed25519 (the key a site is known by) signs each fresh key, so a hub cannot put its own in between

What this does not do: the hub learns the sum; all sites but one, together, learn the last one's; a site that lies about its
own numbers changes the sum.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nhsgen.durable import write_whole
from nhsgen.errors import BadFile, BadInput, NotAllowed, NotSafe, Tampered
from nhsgen.federation.messages import Advert, Terms
from nhsgen.federation.spelling import canonical

__all__ = ["FEWEST", "Ed25519PrivateKey", "Seat", "name_of", "site_key", "total"]

LABEL = "nhsgen secure sum 1"
FEWEST = 3  # of two sites, each would learn the other's numbers from the sum and its own
CHECKS = 2  # words that are 0 at every site: masks that did not cancel pass them once in 2^128
SPAN = 2**62  # what the sum of all sites must stay under, so that it can be told from a wrapped one

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]


class Seat:
    """One site's seat in one round: it says its fresh key, masks one vector, and is empty from then on."""

    def __init__(
        self, site: str, round_id: str, study: str, key: Ed25519PrivateKey, secret: X25519PrivateKey | None = None
    ) -> None:
        """`secret` is given by test vectors alone: used twice, it would give two rounds the same masks."""
        self._site, self._round, self._study = site, round_id, study
        self._secret: X25519PrivateKey | None = secret or X25519PrivateKey.generate()
        public = self._secret.public_key().public_bytes_raw().hex()
        self.advert = Advert(site, public, key.sign(_signed(site, round_id, study, public)).hex())

    def mask(self, vector: Numbers, terms: Terms, trusted: Mapping[str, str]) -> Words:
        """`vector` under the masks of this round: `terms.length` + 2 words.

        vector: int64, `terms.length` numbers, none as large as 2^62 over the number of sites.
        trusted: the key each site is known by (see `name_of`), from this site's own records, never from the hub.
        NotSafe when the round would not hide the vector, Tampered when a key is not its site's, NotAllowed the second time.
        """
        self._agree(terms, trusted)
        plain = _guarded(vector, terms)
        secret, self._secret = self._secret, None
        if secret is None:
            raise NotAllowed("masking", "this seat has masked its one vector", "begin a new round with fresh keys")
        masked = np.concatenate([plain.view(np.uint64), np.zeros(CHECKS, np.uint64)])
        for advert in terms.adverts:
            if advert.site != self._site:
                mask = _mask(secret, advert, (self._site, advert.site), terms, len(masked))
                masked = masked + mask if self._site < advert.site else masked - mask
        return masked

    def _agree(self, terms: Terms, trusted: Mapping[str, str]) -> None:
        if (terms.id, terms.study) != (self._round, self._study):
            raise NotSafe("masking", "this seat was taken for another round", "begin a new round with fresh keys")
        if len(terms.adverts) < FEWEST:
            raise NotSafe("masking", f"only {len(terms.adverts)} sites take part", f"ask at least {FEWEST} sites")
        if self.advert not in terms.adverts:
            raise Tampered("masking", "this site's own key is not among the round's", "ask who changed the roster")
        for advert in terms.adverts:
            _verify(advert, terms, trusted)


def total(terms: Terms, masked: Mapping[str, Words]) -> Numbers:
    """The sum of all sites' vectors: `terms.length` numbers. NotSafe when a site is missing or the masks do not cancel."""
    if tuple(sorted(masked)) != terms.sites:
        absent = sorted(set(terms.sites) ^ set(masked))
        raise NotSafe(
            "adding the sites", f"no one vector came from {', '.join(absent)}", "begin a new round with fresh keys"
        )
    if any(len(words) != terms.length + CHECKS for words in masked.values()):
        raise BadInput(
            "adding the sites", "the vectors are not as long as the round says", "use one version everywhere"
        )
    added = np.zeros(terms.length + CHECKS, np.uint64)
    for words in masked.values():
        added = added + words
    plain: Numbers = added[: terms.length].view(np.int64)
    if added[terms.length :].any() or _beyond(plain, SPAN):
        raise NotSafe(
            "adding the sites", "the masks do not cancel", "check that all sites saw the same round; begin a new one"
        )
    return plain


# -- Keys -------------------------------------------------------------------------------------------------------------


def site_key(path: Path) -> Ed25519PrivateKey:
    """The key a site signs with, from a file only its owner may read; made at first use."""
    if not path.exists():
        write_whole(path, Ed25519PrivateKey.generate().private_bytes_raw(), mode=0o600)
    if path.stat().st_mode & 0o077:
        raise NotAllowed(
            "reading the site's key", "others may read that file too", f"run: chmod 600 {path.name}", file=path
        )
    try:
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    except ValueError as error:
        raise BadFile("reading the site's key", "it is not 32 bytes", "restore it from the safe", file=path) from error


def name_of(key: Ed25519PrivateKey) -> str:
    """What other sites know this key by: its public half, 64 hexadecimal digits."""
    return key.public_key().public_bytes_raw().hex()


def _signed(site: str, round_id: str, study: str, public: str) -> bytes:
    return canonical({"label": LABEL, "public": public, "round": round_id, "site": site, "study": study})


def _verify(advert: Advert, terms: Terms, trusted: Mapping[str, str]) -> None:
    if advert.site not in trusted:
        raise NotSafe(
            "reading the roster", f"{advert.site}'s key is not known here", "exchange keys with that site first"
        )
    known = Ed25519PublicKey.from_public_bytes(bytes.fromhex(trusted[advert.site]))
    try:
        known.verify(bytes.fromhex(advert.signature), _signed(advert.site, terms.id, terms.study, advert.public))
    except InvalidSignature as error:
        raise Tampered(
            "reading the roster", f"{advert.site} did not sign that key", "ask who changed the roster"
        ) from error


# -- Masks ------------------------------------------------------------------------------------------------------------


def _mask(secret: X25519PrivateKey, advert: Advert, pair: tuple[str, str], terms: Terms, length: int) -> Words:
    try:
        shared = secret.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(advert.public)))
    except ValueError as error:
        raise NotSafe("masking", f"{advert.site}'s key is a weak one", "begin a new round with fresh keys") from error
    info = canonical({"label": LABEL, "pair": sorted(pair), "terms": terms.digest})
    key = HKDF(SHA256(), length=32, salt=None, info=info).derive(shared)
    # Each key makes one stream and is forgotten, so the nonce may be the same in all of them.
    stream = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(8 * length))
    return np.frombuffer(stream, dtype="<u8").astype(np.uint64)


def _guarded(vector: Numbers, terms: Terms) -> Numbers:
    """`vector` itself, when its kind, length and range let the sum be exact."""
    if not isinstance(vector, np.ndarray) or vector.dtype != np.int64:
        raise BadInput("masking", "the numbers are not 64-bit whole ones", "scale and round them first")
    if vector.shape != (terms.length,):
        raise BadInput("masking", "there are not as many numbers as the round says", "sum over the round's labels")
    if _beyond(vector, SPAN // len(terms.adverts)):
        raise NotSafe("masking", "a number is so large that the sum might wrap", "use a smaller scale")
    return np.ascontiguousarray(vector)


def _beyond(numbers: Numbers, limit: int) -> bool:
    # Not np.abs: the smallest int64 has no positive twin and would pass as itself, below every limit.
    return numbers.size > 0 and (int(numbers.max()) >= limit or int(numbers.min()) <= -limit)
