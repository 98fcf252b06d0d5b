"""Masked or plain, the sum is the same; and fewer than all masked vectors look like noise."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nhsgen.federation.messages import Round
from nhsgen.federation.secure_sum import CHECKS, SPAN, Ed25519PrivateKey, Seat, Words, name_of, total

STUDY = "ab" * 32
SITES = tuple(f"site {number}" for number in range(6))
KEYS = {site: Ed25519PrivateKey.generate() for site in SITES}
TRUSTED = {site: name_of(key) for site, key in KEYS.items()}


def masked(vectors: np.ndarray) -> tuple[Round, dict[str, Words]]:
    """One row of `vectors` a site."""
    sites = SITES[: len(vectors)]
    seats = {site: Seat(site, "01" * 16, STUDY, KEYS[site]) for site in sites}
    labels = tuple(f"{number:06}" for number in range(vectors.shape[1] - 1))
    terms = Round("01" * 16, STUDY, sites, labels, (), tuple(seat.advert for seat in seats.values()))
    return terms, {site: seats[site].mask(row, terms, TRUSTED) for site, row in zip(sites, vectors, strict=True)}


@st.composite
def vectors_of_sites(draw: st.DrawFn) -> np.ndarray:
    sites, length = draw(st.integers(3, 6)), draw(st.integers(1, 12))
    limit = SPAN // sites - 1
    rows = st.lists(
        st.lists(st.integers(-limit, limit), min_size=length, max_size=length), min_size=sites, max_size=sites
    )
    return np.array(draw(rows), dtype=np.int64)


@given(vectors_of_sites())
@settings(deadline=None, max_examples=60)
def test_the_sum_of_masked_vectors_is_the_sum_of_the_vectors(vectors: np.ndarray) -> None:
    terms, sent = masked(vectors)
    assert total(terms, sent).tolist() == vectors.sum(axis=0).tolist()


def test_any_fewer_than_all_vectors_and_their_sum_look_like_noise() -> None:
    """Small counts are the worst case: almost all their bits are 0. 2,000 words are 128,000 bits: the mean's sd is 0.0014."""
    vectors = np.random.default_rng(1).integers(0, 8, (4, 2000))
    _, sent = masked(vectors)
    for size in (1, 2, 3):
        for some in combinations(sent, size):
            words = np.sum([sent[site] for site in some], axis=0, dtype=np.uint64)[:-CHECKS]
            bits = np.unpackbits(words.view(np.uint8))
            assert abs(bits.mean() - 0.5) < 0.01
            hidden = vectors[[SITES.index(site) for site in some]].sum(axis=0)
            assert abs(np.corrcoef(words.astype(float), hidden)[0, 1]) < 0.1
