"""Fixed keys, fixed numbers, fixed answers: another implementation can be held against them."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nhsgen.federation.messages import Round
from nhsgen.federation.secure_sum import Seat, name_of, total

FIXED = json.loads(Path(__file__).with_name("secure_sum_vectors.json").read_text(encoding="utf-8"))


def test_fixed_keys_give_the_fixed_masked_vectors_and_their_sum() -> None:
    keys = {
        one["site"]: Ed25519PrivateKey.from_private_bytes(bytes.fromhex(one["signing_key"])) for one in FIXED["sites"]
    }
    seats = {
        one["site"]: Seat(
            one["site"], FIXED["round"], FIXED["study"], keys[one["site"]],
            X25519PrivateKey.from_private_bytes(bytes.fromhex(one["secret"])),
        )
        for one in FIXED["sites"]
    }  # fmt: skip
    terms = Round(
        FIXED["round"], FIXED["study"], tuple(seats), tuple(FIXED["labels"]), tuple(FIXED["measures"]),
        tuple(seat.advert for seat in seats.values()),
    )  # fmt: skip
    assert [seat.advert.public for seat in seats.values()] == [one["public"] for one in FIXED["sites"]]
    assert terms.digest == FIXED["terms"]

    trusted = {site: name_of(key) for site, key in keys.items()}
    masked = {one["site"]: seats[one["site"]].mask(np.array(one["vector"]), terms, trusted) for one in FIXED["sites"]}
    assert [sha256(words.astype("<u8").tobytes()).hexdigest() for words in masked.values()] == [
        one["masked_sha256"] for one in FIXED["sites"]
    ]
    assert total(terms, masked).tolist() == FIXED["sum"]
    assert FIXED["sum"] == [sum(column) for column in zip(*(one["vector"] for one in FIXED["sites"]), strict=True)]
