"""report.html: whole, offline, and safe against what stands in a mail."""

from html.parser import HTMLParser

import pytest

from agent.nights import report_text
from distill.evaluate.plots import loss_curve, night_plots
from distill.evaluate.report import own_pages, render_report, text_report
from memory.errors import UserError
from tests.browser import Browser, needs_browser
from tests.fake_runner import GOOD, MERIDIAN, row, run, write_night

VOID = {"meta", "br", "link", "img", "hr", "input"}
SELF_CLOSED = {"line", "polyline", "circle"}
ATTACK = '<script>alert("I am in your mail")</script><img src=x onerror=alert(1)>'


class Reader(HTMLParser):
    """Complains about tags that do not match, and keeps what is needed for the claims."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_startendtag(self, tag, attrs):
        assert tag in SELF_CLOSED

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "onerror")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read_html(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


@pytest.fixture
def report(tmp_path):
    return run(write_night(tmp_path / "2026-11-20"), GOOD).as_json()


def manifest(text: str) -> dict:
    sample = row(1)
    sample["messages"][-1] |= {"content": text, "loss": [[0, 10]]}
    return {
        "examples": 12,
        "held_out": 3,
        "loss_characters": 1200,
        "foreign_loss_characters": 0,
        "by_author": {"Meridian": 1200, ATTACK: 0},
        "dropped": {"template": 40},
        "notes": ["3 texts are fiction"],
        "samples": [sample],
    }


METRICS = [
    {"step": 0, "loss": None, "held_out_loss": 4.0},
    {"step": 10, "loss": 3.5, "held_out_loss": None},
    {"step": 20, "loss": 2.5, "held_out_loss": 3.0},
]


def test_the_page_is_whole_and_needs_no_network(report):
    text = render_report(report, manifest("I am Meridian. Sammy wrote."), METRICS, MERIDIAN)
    page = read_html(text)
    assert page.links == [] and "http" not in text.replace("http-equiv", "")
    assert "viewport" in text and "prefers-color-scheme" in text and "<svg" in text


def test_a_mail_with_a_script_stays_text(report):
    report["answers"][0] |= {"junior": ATTACK, "question": ATTACK}
    report["worst"] = [
        {"question": ATTACK, "answer": ATTACK, "family": "free", "ruling": "another"}
    ]
    page = read_html(render_report(report, manifest(ATTACK), METRICS, MERIDIAN))
    assert "script" not in page.tags and "img" not in page.tags and page.links == []


def test_the_page_shows_verdict_thresholds_and_data(report):
    text = render_report(report, manifest("I am Meridian."), METRICS, MERIDIAN)
    for part in (report["sentence"].split(",")[0], "≥ 70 %", "template", "reported, not judged"):
        assert part in text


def test_a_night_without_curve_or_manifest_still_has_a_page(report):
    text = render_report(report, {}, [], MERIDIAN)
    assert read_html(text) and "How it learnt" not in text


def test_the_curve_stays_inside_the_drawing():
    curve = loss_curve(METRICS)
    points = [tuple(map(float, p.split(","))) for p in f"{curve['train']} {curve['held']}".split()]
    assert all(0 <= x <= 640 and 0 <= y <= 300 for x, y in points) and len(curve["dots"]) == 2
    assert loss_curve(METRICS[:1]) is None


def test_the_text_fits_into_a_mail_and_says_what_the_page_says(report):
    report["worst"] = [{"question": "Who are you?", "answer": ATTACK * 9, "family": "direct",
                        "ruling": "another"}]  # fmt: skip
    text = text_report(report)
    assert max(map(len, text.splitlines())) <= 72 and text.startswith("Night 2026-11-20")
    assert "Does it know who it is?" in text and "do not show" in text
    words = " ".join(text.split())
    assert report["sentence"] in words and "The worst answers" in words


def test_a_night_writes_its_text_beside_the_page(report, tmp_path):
    page = tmp_path / "2026-11-20" / "report.html"
    assert report_text(page) == text_report(report)
    with pytest.raises(UserError, match=r"wrote no report\.txt"):
        report_text(tmp_path / "report.html")


def test_five_kinds_of_number_stand_apart_and_each_has_its_own(report):
    text = render_report(report, {}, [], MERIDIAN)
    five = text.split("What was checked")[0]
    assert five.count("<dt>") == 5 and "never one" in five
    for section in ("know who it is", "sound like its owner", "gives away", "is lost", "itself?"):
        assert section in five


def test_nights_over_time_are_drawn_inside(report):
    points = [[f"2026-11-{day:02}", day / 30] for day in range(1, 20)]
    report["series"] = [{"name": "right", "title": "t", "unit": "share", "points": points}]
    (plot,) = night_plots(report["series"])
    places = [tuple(map(float, place.split(","))) for place in plot["line"].split()]
    assert len(places) == 19 and all(0 <= x <= 320 and 0 <= y <= 110 for x, y in places)
    assert "Over the nights" in render_report(report, {}, [], MERIDIAN)


def test_what_does_not_decide_is_named(report):
    text = " ".join(text_report(report).split())
    assert "These are shown and do not decide here" in text and "No bound has been set" in text


@needs_browser
@pytest.mark.slow
def test_the_page_fits_a_phone_and_a_desk_in_a_real_browser(report, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(render_report(report, manifest("I am Meridian."), METRICS, MERIDIAN))
    wide = "document.documentElement.scrollWidth"
    column = "document.querySelector('table.checks tbody tr:nth-child(2) th').offsetWidth"
    with Browser(tmp_path / "profile") as tab:
        tab.go(path.as_uri())
        for width, least in ((390, 300), (1000, 180)):
            tab.size(width, 800, phone=width < 600)
            tab.until(f"innerWidth == {width}")
            assert tab.run(wide) <= width and tab.run(column) >= least


def test_own_text_is_cut_where_loss_ends():
    (page,) = own_pages(manifest("I am here. Nothing else.")["samples"], MERIDIAN)
    parts = page["parts"]
    assert "".join(part["text"] for part in parts) == "I am here. Nothing else."
    assert [part["text"] for part in parts if part["loss"]] == ["I am here."]
