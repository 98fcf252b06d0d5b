"""The stewards' pages: who may do what, what a page never shows, and that it works for everybody."""

import re
import shutil
from pathlib import Path

import pytest
from four_hospitals import SETTINGS, federation
from starlette.testclient import TestClient

from nhsgen import extracts, studies
from nhsgen.cohorts import icd10
from nhsgen.steward import create_app
from nhsgen.studies import Study
from nhsgen.workspace import Workspace

EXTRACT = "northgate-0001"
PAGE = f"/extracts/{EXTRACT}"


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Northgate's extract is checked and waits for its stewards."""
    return federation(tmp_path_factory.mktemp("federation"), "northgate", released=False).path


@pytest.fixture
def workspace(hospitals: Path, tmp_path: Path) -> Workspace:
    return Workspace.open(shutil.copytree(hospitals, tmp_path / "copy"))


def visitor(workspace: Workspace, name: str = "") -> TestClient:
    """A browser, signed in when a name is given."""
    browser = TestClient(create_app(workspace, "a secret of this test"), base_url="http://localhost")
    if name:
        assert post(browser, "/sign-in", "/sign-in", name=name).status_code == 200
    return browser


def post(browser: TestClient, page: str, to: str, **fields: str):  # type: ignore[no-untyped-def]
    """Open `page`, take the hidden fields of its forms, fill in the rest, send it."""
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', browser.get(page).text))
    return browser.post(to, data={**hidden, **fields})


def decide(browser: TestClient, decision: str, because: str = "both reports read"):  # type: ignore[no-untyped-def]
    return post(browser, PAGE, f"{PAGE}/decision", decision=decision, because=because)


def state(workspace: Workspace) -> str:
    return extracts.find(workspace.site("northgate"), EXTRACT).state


# -- What stewards do -------------------------------------------------------------------------------------------------


def test_two_stewards_approve_an_extract(workspace: Workspace) -> None:
    first = decide(visitor(workspace, "ben"), "approve")
    assert f"{EXTRACT}: you approved it." in first.text
    assert "waiting for one more steward" in first.text
    decide(visitor(workspace, "carys"), "approve", "k is 45")
    assert state(workspace) == "approved"
    last = workspace.site("northgate").log.entries()[-1]
    assert (last.who, last.facts["reason"]) == ("carys", "k is 45")


def test_a_steward_refuses_an_extract_with_a_reason(workspace: Workspace) -> None:
    assert decide(visitor(workspace, "ben"), "refuse", "two postcodes in a comment").status_code == 200
    assert state(workspace) == "refused"


def test_the_same_person_does_not_approve_twice(workspace: Workspace) -> None:
    ben = visitor(workspace, "ben")
    decide(ben, "approve")
    again = decide(ben, "approve")
    assert again.status_code == 403
    assert "&#39;ben&#39; has approved it already; ask another steward." in again.text
    assert "Approve this extract" not in ben.get(PAGE).text
    assert state(workspace) == "approved_once"


def test_whoever_submitted_it_does_not_judge_it(workspace: Workspace) -> None:
    workspace.site("northgate").enrol("asha", "steward", "dana")
    asha = visitor(workspace, "asha")
    assert "you submitted this extract, and nobody judges their own" in asha.get(PAGE).text
    for decision in ("approve", "refuse"):
        hidden = {"token": token(asha), "report": "", "decision": decision, "because": "mine"}
        assert asha.post(f"{PAGE}/decision", data=hidden).status_code == 403
    assert state(workspace) == "checked"


def test_a_decision_needs_a_reason_and_one_of_the_two_buttons(workspace: Workspace) -> None:
    ben = visitor(workspace, "ben")
    assert decide(ben, "approve", "  ").status_code == 400
    assert decide(ben, "perhaps").status_code == 400
    assert state(workspace) == "checked"


def test_a_report_that_is_not_the_newest_cannot_be_approved(workspace: Workspace) -> None:
    """Ben reads a report; it is checked again before he presses the button."""
    ben = visitor(workspace, "ben")
    stale = {"token": token(ben), "report": "0" * 64, "decision": "approve", "because": "read it"}
    answer = ben.post(f"{PAGE}/decision", data=stale)
    assert answer.status_code == 403
    assert "read the new report first" in answer.text
    assert state(workspace) == "checked"


# -- Who gets in ------------------------------------------------------------------------------------------------------


def token(browser: TestClient) -> str:
    found = re.search(r'name="token" value="([^"]+)"', browser.get("/extracts").text)
    assert found
    return found[1]


def test_nobody_unknown_gets_in(workspace: Workspace) -> None:
    browser = visitor(workspace)
    for name in ("mallory", "", "Ben", "ben\x00"):
        answer = post(browser, "/sign-in", "/sign-in", name=name)
        assert answer.status_code == 403
        assert "no site has enrolled that name" in answer.text
    assert browser.get(PAGE).url.path == "/sign-in"


def test_who_was_dismissed_is_out_at_the_next_click(workspace: Workspace) -> None:
    carys = visitor(workspace, "carys")
    assert carys.get(PAGE).status_code == 200
    workspace.site("northgate").dismiss("carys", "steward", "dana")
    assert carys.get(PAGE).url.path == "/sign-in"


def test_another_sites_staff_sees_nothing_of_this_one(workspace: Workspace) -> None:
    workspace.add_site("southport", by="eve")
    eve = visitor(workspace, "eve")
    assert "northgate" not in eve.get("/extracts").text
    for page in (PAGE, "/log/northgate"):
        answer = eve.get(page)
        assert answer.status_code == 403
        assert "you are not on its staff" in answer.text
    assert decide_blindly(eve).status_code == 403


def decide_blindly(browser: TestClient):  # type: ignore[no-untyped-def]
    return browser.post(f"{PAGE}/decision", data={"token": token(browser), "decision": "refuse", "because": "x"})


@pytest.mark.parametrize("sent", [{}, {"token": ""}, {"token": "guessed"}, {"token": "é"}])
def test_a_form_without_the_sessions_token_is_refused(workspace: Workspace, sent: dict[str, str]) -> None:
    ben = visitor(workspace, "ben")
    answer = ben.post(f"{PAGE}/decision", data={**sent, "decision": "refuse", "because": "from another site's page"})
    assert answer.status_code == 403
    assert "it does not come from your session" in answer.text
    assert ben.post("/sign-out", data=sent).status_code == 403
    assert state(workspace) == "checked"


def test_a_token_from_before_signing_in_is_worth_nothing_after(workspace: Workspace) -> None:
    browser = visitor(workspace)
    before = dict(re.findall(r'name="(token)" value="([^"]+)"', browser.get("/sign-in").text))
    browser.post("/sign-in", data={**before, "name": "ben"})
    assert browser.post(f"{PAGE}/decision", data={**before, "decision": "refuse", "because": "x"}).status_code == 403


def test_a_cookie_signed_by_somebody_else_is_nobody(workspace: Workspace) -> None:
    ben = visitor(workspace, "ben")
    other = TestClient(create_app(workspace, "another secret"), base_url="http://localhost", cookies=dict(ben.cookies))
    assert other.get(PAGE).url.path == "/sign-in"


def test_signing_out_ends_it(workspace: Workspace) -> None:
    ben = visitor(workspace, "ben")
    post(ben, PAGE, "/sign-out")
    assert ben.get(PAGE).url.path == "/sign-in"


def test_the_pages_answer_to_their_own_name_only(workspace: Workspace) -> None:
    assert visitor(workspace).get("/register", headers={"host": "evil.example"}).status_code == 400


def test_a_form_of_a_megabyte_is_not_read(workspace: Workspace) -> None:
    ben = visitor(workspace, "ben")
    assert ben.post(f"{PAGE}/decision", content=b"because=" + b"x" * 1_000_000).status_code == 400


# -- What pages show --------------------------------------------------------------------------------------------------


def test_the_reports_are_on_the_page(workspace: Workspace) -> None:
    text = visitor(workspace, "ben").get(PAGE).text
    assert "rules were run on 3 tables" in text
    assert "nothing stops a release" in text
    assert "90 people fall into 2 groups" in text


def test_what_people_write_is_text_and_never_html(workspace: Workspace) -> None:
    decide(visitor(workspace, "ben"), "approve", "<script>alert(1)</script>")
    for page in (PAGE, "/log/northgate"):
        text = visitor(workspace, "carys").get(page).text
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_register_is_public_and_says_what_was_asked_by_whom_and_why(workspace: Workspace) -> None:
    site = workspace.site("northgate")
    for steward in ("ben", "carys"):
        extracts.approve(site, EXTRACT, steward, "both reports read")
    extracts.release(site, EXTRACT, "ben", SETTINGS)
    studies.run(Study("counts", icd10("Q61"), purpose="To plan <kidney> clinics."), [site], SETTINGS, asked_by="rita")
    browser = visitor(workspace)
    text = browser.get("/").text
    for said in (
        "To plan &lt;kidney&gt; clinics.",
        "rita",
        "ben, carys",
        "may be asked",
        "answered with a sum over its people",
    ):
        assert said in text
    assert not browser.cookies

    extracts.withdraw(site, EXTRACT, "ben", "wrong month")
    assert "taken back" in browser.get("/register").text


def test_the_log_page_says_that_it_verifies_and_which_head_to_keep(workspace: Workspace) -> None:
    text = visitor(workspace, "ben").get("/log/northgate").text
    assert "The log verifies:" in text
    assert str(workspace.site("northgate").log.head()) in text


def test_a_site_whose_log_was_changed_is_closed_and_the_others_stay_open(workspace: Workspace) -> None:
    workspace.add_site("southport", by="eve")
    ben, eve = visitor(workspace, "ben"), visitor(workspace, "eve")
    file = workspace.site("northgate").log.path
    file.write_text(file.read_text().replace('"asha"', '"ashe"'))
    for page in ("/register", "/sign-in"):
        assert "The audit log of northgate does not verify." in ben.get(page).text
    assert ben.get(PAGE).url.path == "/sign-in"
    assert eve.get("/extracts").status_code == 200
    assert eve.get("/log/northgate").status_code == 409


@pytest.mark.parametrize(
    ("page", "status"), [("/extracts/northgate-0099", 404), ("/extracts/nowhere-0001", 404), ("/nothing", 404)]
)
def test_what_is_not_there_is_one_sentence(workspace: Workspace, page: str, status: int) -> None:
    answer = visitor(workspace, "ben").get(page)
    assert answer.status_code == status
    assert "<h1>There is no such page</h1>" in answer.text
    assert answer.text.count('<p class="error">') == 1


def test_every_answer_carries_the_headers_that_keep_a_browser_safe(workspace: Workspace) -> None:
    ben = visitor(workspace, "ben")
    for answer in (
        ben.get("/register"),
        ben.get(PAGE),
        ben.get("/nothing"),
        ben.post("/sign-out"),
        ben.get("/style.css"),
    ):
        assert answer.headers["content-security-policy"].startswith(
            "default-src 'none'; style-src 'self'; form-action 'self'"
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(workspace: Workspace) -> None:
    cookie = visitor(workspace).get("/sign-in").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    https = TestClient(create_app(workspace, "s", https=True), base_url="https://localhost")
    assert "secure" in https.get("/sign-in").headers["set-cookie"].lower()


def test_every_page_can_be_read_by_everybody(workspace: Workspace) -> None:
    """Language, title, skip link, one heading, labelled fields, headed columns; no script, nothing from elsewhere."""
    ben = visitor(workspace, "ben")
    pages = [ben.get(page).text for page in ("/extracts", PAGE, "/log/northgate", "/register", "/sign-in", "/nothing")]
    titles = [re.findall(r"<title>(.+)</title>", text) for text in pages]
    assert all(len(title) == 1 for title in titles)
    assert len({title[0] for title in titles}) == len(pages)
    for text in pages:
        assert '<html lang="en-GB">' in text
        assert text.index('<a class="skip" href="#main">') < text.index('<main id="main"')
        assert text.count("<h1>") == 1
        fields = re.findall(r'<(?:input|textarea) id="(\w+)"', text)
        assert all(f'<label for="{field}">' in text for field in fields)
        assert len(re.findall(r"<th\b", text)) == len(re.findall(r"<th scope=", text))
        for foreign in ("<script", "http://", "https://", "style=", "NHS England"):
            assert foreign not in text


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


TEXT_ON = [
    *((text, "paper") for text in ("ink", "soft", "act", "bad")),
    *(("paper", ground) for ground in ("act", "act-dark")),
    ("soft", "wash"),
    *(("ink", ground) for ground in ("wash", "wash-act", "wash-bad", "wash-care")),
    ("act-dark", "wash-act"),
    ("bad", "wash-bad"),
    ("care", "wash-care"),
]


@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_stands_out_from_its_ground(workspace: Workspace, text: str, ground: str) -> None:
    """At least 4.5 to 1 (WCAG 2.2, success criterion 1.4.3, level AA)."""
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", visitor(workspace).get("/style.css").text))
    colours = {name: c if len(c) == 7 else "#" + "".join(2 * digit for digit in c[1:]) for name, c in colours.items()}
    high, low = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5
