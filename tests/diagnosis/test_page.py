"""The HTML report: whole in itself, escaped, reproducible, and well-formed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import mcu_quant as mq
from mcu_quant.diagnosis import Diagnosis
from mcu_quant.diagnosis.page import render
from mcu_quant.errors import InvalidInputError
from tests.diagnosis.planted import Planted, data, labels

EVIL = '<script>alert("x")</script>&amp;'
#: Elements without an end tag in HTML, and those of SVG that are written <x/>.
VOID = {"meta", "br", "path"}


@pytest.fixture(scope="module")
def found() -> Diagnosis:
    """With faults, so that every part of the page is there."""
    planted = Planted(names=(EVIL, "late", "scores"))
    planted.early[3] *= 300
    planted.early_bias[3] *= 300
    planted.late[..., 3] /= 300
    x = {"x": data(), "y": labels()}
    return mq.diagnose(planted.model(), x, per_tensor=True, auto=True, budget=3)


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Elements()
    parser.feed(page)
    assert not parser.open
    return parser.seen


def test_whole_in_itself(found: Diagnosis) -> None:
    page = render(found)
    seen = elements(page)
    assert not {tag for tag, _ in seen} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
    }
    for _, attributes in seen:
        assert not {"src", "action", "data", "srcset", "xlink:href"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"https?:|//[a-z]|url\(|@import", page)


def test_names_are_escaped(found: Diagnosis) -> None:
    page = render(found)
    assert EVIL not in page and "<script" not in page
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;&amp;amp;" in page


def test_links_lead_somewhere(found: Diagnosis) -> None:
    seen = elements(render(found))
    targets = {attributes["id"] for _, attributes in seen if "id" in attributes}
    links = {str(attributes["href"])[1:] for _, attributes in seen if "href" in attributes}
    assert links == targets and len(links) == len(found.layers)


def test_everything_is_there(found: Diagnosis) -> None:
    page = render(found)
    assert found.faults and found.search is not None
    for title in ("Likely culprits", "Remedies tried", "Layers", "Distributions", "Worst samples", "Notes"):
        assert f"<h2>{title}</h2>" in page
    for trial in found.search.trials:
        assert trial.name in page
    assert page.count('class="real"') == page.count('class="quantized"') == len(found.layers)


def test_reproducible(found: Diagnosis) -> None:
    again = mq.diagnose(Planted().model(), data())
    assert render(again) == render(mq.diagnose(Planted().model(), data()))
    assert render(again) != render(found)


def test_without_search_or_faults() -> None:
    page = render(mq.diagnose(Planted().model(), data()))
    elements(page)
    assert "No layer is at fault." in page and "Remedies tried" not in page


def test_save(found: Diagnosis, tmp_path: Path) -> None:
    path = found.save_html(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == render(found)
    with pytest.raises(InvalidInputError, match="must not exist"):
        found.save_html(path)
    found.save_html(path, force=True)
