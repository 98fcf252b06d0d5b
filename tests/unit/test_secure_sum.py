"""What a seat refuses to mask, and what a hub refuses to add."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nhsgen.errors import BadFile, BadInput, NotAllowed, NotSafe, Tampered
from nhsgen.federation.messages import Advert, Round
from nhsgen.federation.secure_sum import Ed25519PrivateKey, Seat, Words, name_of, site_key, total

STUDY, ROUND = "ab" * 32, "01" * 16
SITES = ("Barts", "Christie", "Leeds")
KEYS = {site: Ed25519PrivateKey.generate() for site in (*SITES, "Guy's")}
TRUSTED = {site: name_of(key) for site, key in KEYS.items()}


def table(
    sites: tuple[str, ...] = SITES, labels: tuple[str, ...] = ("female", "male")
) -> tuple[dict[str, Seat], Round]:
    """A seat a site, and the round they sit in: 5 numbers each."""
    seats = {site: Seat(site, ROUND, STUDY, KEYS[site]) for site in sites}
    return seats, Round(ROUND, STUDY, sites, labels, ("people",), tuple(seat.advert for seat in seats.values()))


def numbers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def masked_by_all() -> tuple[Round, dict[str, Words]]:
    seats, terms = table()
    return terms, {site: seat.mask(numbers(1, 2, 3, 4, -5), terms, TRUSTED) for site, seat in seats.items()}


def test_three_sites_add_up_and_no_vector_travels_in_the_clear() -> None:
    terms, masked = masked_by_all()
    assert total(terms, masked).tolist() == [3, 6, 9, 12, -15]
    assert all(not set(words[:5].tolist()) & {1, 2, 3, 4} for words in masked.values())


def test_nobody_in_any_cohort_is_a_sum_too() -> None:
    seats, terms = table(labels=())
    assert total(terms, {site: seat.mask(numbers(7), terms, TRUSTED) for site, seat in seats.items()}).tolist() == [21]


REFUSED_VECTORS = {
    "floats": (np.ones(5), BadInput),
    "not a number": (np.full(5, np.nan), BadInput),
    "unsigned": (np.full(5, 2**63, np.uint64), BadInput),
    "a list": ([1, 2, 3, 4, 5], BadInput),
    "too short": (numbers(1, 2, 3, 4), BadInput),
    "too long": (numbers(1, 2, 3, 4, 5, 6), BadInput),
    "two-dimensional": (numbers(1, 2, 3, 4, 5).reshape(1, 5), BadInput),
    "as large as the limit": (numbers(0, 0, 0, 0, 2**62 // 3), NotSafe),
    "as low as the limit": (numbers(0, 0, 0, 0, -(2**62 // 3)), NotSafe),
    "the lowest there is": (numbers(0, 0, 0, 0, -(2**63)), NotSafe),
}


@pytest.mark.parametrize(("vector", "error"), REFUSED_VECTORS.values(), ids=REFUSED_VECTORS)
def test_a_vector_that_could_not_be_added_exactly_is_refused_and_the_seat_stays(
    vector: object, error: type[Exception]
) -> None:
    seats, terms = table()
    with pytest.raises(error):
        seats["Barts"].mask(vector, terms, TRUSTED)  # type: ignore[arg-type]
    assert len(seats["Barts"].mask(numbers(1, 2, 3, 4, 5), terms, TRUSTED)) == 7


def test_the_largest_vector_allowed_adds_up_exactly() -> None:
    seats, terms = table()
    most = 2**62 // 3 - 1
    masked = {site: seat.mask(numbers(most, -most, 0, 0, 0), terms, TRUSTED) for site, seat in seats.items()}
    assert total(terms, masked).tolist() == [3 * most, -3 * most, 0, 0, 0]


def test_a_seat_masks_once() -> None:
    seats, terms = table()
    seats["Barts"].mask(numbers(1, 2, 3, 4, 5), terms, TRUSTED)
    with pytest.raises(NotAllowed, match="has masked its one vector"):
        seats["Barts"].mask(numbers(1, 2, 3, 4, 5), terms, TRUSTED)


def _another_key_signed(terms: Round) -> Round:
    forged = Seat("Leeds", ROUND, STUDY, Ed25519PrivateKey.generate()).advert
    return replace(terms, adverts=(*terms.adverts[:2], forged))


def _key_swapped_under_the_signature(terms: Round) -> Round:
    other = Seat("Leeds", ROUND, STUDY, KEYS["Leeds"]).advert
    return replace(terms, adverts=(*terms.adverts[:2], replace(terms.adverts[2], public=other.public)))


def _advert_of_another_round(terms: Round) -> Round:
    old = Seat("Leeds", "02" * 16, STUDY, KEYS["Leeds"]).advert
    return replace(terms, adverts=(*terms.adverts[:2], old))


def _own_key_replaced(terms: Round) -> Round:
    other = Seat("Barts", ROUND, STUDY, KEYS["Barts"]).advert
    return replace(terms, adverts=(other, *terms.adverts[1:]))


def _two_sites(terms: Round) -> Round:
    return replace(terms, sites=SITES[:2], adverts=terms.adverts[:2])


def _without_this_site(terms: Round) -> Round:
    guys = Seat("Guy's", ROUND, STUDY, KEYS["Guy's"]).advert
    return replace(terms, sites=("Christie", "Guy's", "Leeds"), adverts=(terms.adverts[1], guys, terms.adverts[2]))


def _a_stranger(terms: Round) -> Round:
    stranger = Seat("Nowhere", ROUND, STUDY, Ed25519PrivateKey.generate()).advert
    return replace(terms, sites=(*SITES, "Nowhere"), adverts=(*terms.adverts, stranger))


def _a_weak_key(terms: Round) -> Round:
    seat = Seat("Leeds", ROUND, STUDY, KEYS["Leeds"])
    signature = KEYS["Leeds"].sign(
        f'{{"label":"nhsgen secure sum 1","public":"{"00" * 32}","round":"{ROUND}","site":"Leeds","study":"{STUDY}"}}'.encode()
    )
    assert seat.advert.site == "Leeds"
    return replace(terms, adverts=(*terms.adverts[:2], Advert("Leeds", "00" * 32, signature.hex())))


REFUSED_ROUNDS: dict[str, tuple[Callable[[Round], Round], type[Exception]]] = {
    "a key signed by somebody else": (_another_key_signed, Tampered),
    "a key swapped under its signature": (_key_swapped_under_the_signature, Tampered),
    "a key from an earlier round": (_advert_of_another_round, Tampered),
    "this site's own key replaced": (_own_key_replaced, Tampered),
    "this site left out": (_without_this_site, Tampered),
    "two sites only": (_two_sites, NotSafe),
    "a site not known here": (_a_stranger, NotSafe),
    "a key that gives no secret": (_a_weak_key, NotSafe),
    "another round's id": (lambda terms: replace(terms, id="03" * 16), NotSafe),
    "another study": (lambda terms: replace(terms, study="cd" * 32), NotSafe),
    "nobody": (lambda terms: replace(terms, adverts=()), NotSafe),
}


@pytest.mark.parametrize(("change", "error"), REFUSED_ROUNDS.values(), ids=REFUSED_ROUNDS)
def test_a_round_that_would_not_hide_the_vector_is_refused(
    change: Callable[[Round], Round], error: type[Exception]
) -> None:
    seats, terms = table()
    with pytest.raises(error):
        seats["Barts"].mask(numbers(1, 2, 3, 4, 5), change(terms), TRUSTED)


def test_sites_that_saw_different_rounds_do_not_add_up() -> None:
    seats, terms = table()
    other = replace(terms, labels=("female", "other"))
    masked = {
        site: seat.mask(numbers(1, 2, 3, 4, 5), other if site == "Leeds" else terms, TRUSTED)
        for site, seat in seats.items()
    }
    with pytest.raises(NotSafe, match="masks do not cancel"):
        total(terms, masked)


def test_a_word_that_should_be_zero_and_is_not_is_found() -> None:
    terms, masked = masked_by_all()
    masked["Leeds"] = masked["Leeds"].copy()
    masked["Leeds"][-1] ^= 1
    with pytest.raises(NotSafe, match="masks do not cancel"):
        total(terms, masked)


@pytest.mark.parametrize("change", ["missing", "doubled", "short"])
def test_a_hub_adds_exactly_one_whole_vector_a_site(change: str) -> None:
    terms, masked = masked_by_all()
    if change == "missing":
        del masked["Leeds"]
    elif change == "doubled":
        masked["Leeds again"] = masked["Leeds"]
    else:
        masked["Leeds"] = masked["Leeds"][:-1]
    with pytest.raises((NotSafe, BadInput)):
        total(terms, masked)


def test_a_sites_key_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "site.key"
    made = site_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert name_of(site_key(path)) == name_of(made)


def test_a_sites_key_that_others_may_read_or_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "site.key"
    site_key(path)
    path.chmod(0o644)
    with pytest.raises(NotAllowed, match="others may read"):
        site_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(BadFile, match="not 32 bytes"):
        site_key(path)
