"""The dashboard is for all (WCAG 2.2, whose numbers stand with the tests): keys, a
finger or a reader of the screen are enough, and it can be read."""
import json
import re

import pytest
from lib import admin
from lib.dashboard import INI, TOKEN, load, log_in, look_anew, visit
from lib.procs import until

LONG = "/shut/" + "long" * 60
PHONE = {"width": 360, "height": 740, "isMobile": True, "hasTouch": True,
         "deviceScaleFactor": 2}
NARROWEST = 320  # 1.4.10
TARGET_PX = 24  # 2.5.8
LINE_PX = 20
TEXT_CONTRAST, SHAPE_CONTRAST = 4.5, 3  # 1.4.3, 1.4.11


def focused(page):
    return page.evaluate("document.activeElement.textContent")


CONTROLS = {"button", "link", "textbox", "checkbox", "combobox"}
NAMED = CONTROLS | {"img", "table", "region", "heading", "columnheader"}


# - role "name" [level=1]: text; quoted as a whole where YAML wants it
NODE = re.compile(r"""- ('?)(?P<role>\w+)(?: (?P<name>"(?:[^"\\]|\\.)*"))?"""
                  r"""(?: \[(?:level=(?P<level>\d+)|[^]]*)\])*\1"""
                  r"""(?::(?: (?P<text>.*))?)?""")


def tree(page):
    """[(role, {"name", "text", "level"})] of what readers are given."""
    found = []
    for line in page.all("body").ariaSnapshot().splitlines():
        if line.lstrip().startswith("- /url:"):
            continue
        m = NODE.fullmatch(line.strip())
        assert m, line
        name = m["name"] and json.loads(
            m["name"].replace("''", "'") if m[1] else m["name"])
        found.append((m["role"], {"name": name, "text": m["text"],
                                  "level": int(m["level"] or 0)}))
    return found


def names(nodes, *roles):
    return [n.get("name") or n.get("text") for role, n in nodes if role in roles]


@pytest.mark.heavy
def test_readers_are_told_everything(seen, chromium):
    """4.1.2, 1.3.1, 1.1.1: what has a role has a name, no two regions the same;
    tables have captions and heads; charts say their numbers; 3.3.1: what is
    wrong is said with the field."""
    page = chromium.page()
    visit(page, seen)
    assert page.evaluate("document.documentElement.lang") == "en"
    for typed in "wrong-token-of-sixteen", TOKEN:
        nodes = tree(page)
        assert names(nodes, *CONTROLS) == [
            "To the numbers", "Pause", "Token of [admin]", "Show"]
        page.type(typed)
        page.press("Enter")
        if typed != TOKEN:
            wrong = page.by_role("textbox", description="This is not the token.")
            wrong.waitFor()
            assert wrong.getAttribute("aria-invalid") == "true"
            assert page.by_role("alert").textContent() == \
                "This is not the token."
    page.by_role("main").waitFor()
    nodes = tree(page)
    assert all(names([pair], pair[0]) != [None] for pair in nodes if
               pair[0] in NAMED), nodes
    assert names(nodes, "button") == ["Pause", "Forget the token"]
    regions = names(nodes, "region")
    assert len(regions) == len(set(regions)) > 10
    captions = page.all("caption").allTextContents()
    assert names(nodes, "table") == captions
    for caption in captions:
        table = page.by_role("table", caption)
        n = table.by_role("columnheader").count()
        assert n >= 2, caption
        assert n * (table.by_role("row").count() - 1) == \
            table.by_role("cell").count() > 0
    charts = names(nodes, "img")
    assert len(charts) == 4
    assert all("the last second" in text for text in charts)
    levels = [n["level"] for role, n in nodes if role == "heading"]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:]))
    assert page.by_role("status").textContent()


@pytest.mark.heavy
def test_what_has_no_rows_is_no_table(gatehouse, chromium):
    """1.3.1: a heading says what there is none of, until there is one."""
    gh = gatehouse(INI, ports=2)
    until(lambda: admin.steward(gh))
    page = log_in(chromium.page(), gh)
    empty = page.by_role("heading", "Paths")
    assert empty.isVisible()
    assert page.by_role("table").count() == 1  # of workers
    load(gh, 1)
    until(lambda: look_anew(page) or empty.count() == 0)
    assert page.by_role("table", "Paths").by_role("columnheader").count() == 2


FOCUSABLE = """[...document.querySelectorAll(
    "a[href], button, input, summary, [tabindex='0']")].filter(
        (e) => e.checkVisibility())"""
STOP = """((e) => {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    return [%s.indexOf(e), parseFloat(style.outlineWidth),
        style.outlineStyle !== "none" && box.width > 0 && box.top < innerHeight &&
        box.bottom > 0 && box.left < innerWidth && box.right > 0];
})(document.activeElement)""" % FOCUSABLE


@pytest.mark.heavy
def test_keys_are_enough(seen, chromium):
    """2.1.1, 2.1.2, 2.4.1, 2.4.3, 2.4.7, 2.4.11: all can be reached and left, in
    the order in which it stands, and is seen then."""
    page = log_in(chromium.page(), seen)
    assert page.evaluate("document.activeElement.id") == "main"
    page.by_role("button", "Pause").press("Enter")
    page.by_role("button", "Pause", pressed=True).waitFor()
    page.by_role("link", "To the numbers").focus()
    n = page.evaluate(FOCUSABLE + ".length")
    order = []
    for _ in range(n):
        order.append(page.evaluate(STOP))
        page.press("Tab")
    assert [i for i, *_ in order] == list(range(n)) and n > 15
    assert all(width >= 2 and is_seen for _, width, is_seen in order), order
    # behind the last one is the browser, and then the first one
    assert page.evaluate(STOP)[0] < 1
    page.by_role("button", "Pause").focus()
    page.press("Shift+Tab")
    assert focused(page) == "To the numbers"
    page.press("Enter", "Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    page.by_role("button", "Pause").focus()
    page.press("Escape", "Space")
    page.by_role("button", "Pause", pressed=False).waitFor()
    page.press("Tab", "Enter")
    page.by_role("textbox", "Token of [admin]").waitFor()
    assert page.evaluate("sessionStorage.length") == 0
    page.type("abc")
    page.press("Escape")
    assert page.by_role("textbox").inputValue() == "abc"


@pytest.mark.heavy
def test_what_is_read_stays_where_it_is(seen, chromium):
    """A reason that is open and focused is so when newer ones come above it, until
    it is none of the ten any more: then another one is focused."""
    page = log_in(chromium.page(), seen)
    page.all("#recent summary >> nth=0").focus()
    page.press("Enter")
    id_of = "document.activeElement.parentElement.dataset.id"
    mine = page.evaluate(id_of)

    def come(n):
        path = f"/shut/{n}"
        with seen.client() as c:
            for _ in range(n):
                c.get(path)

        def last():
            return admin.ask(seen, "GET", "/v1/why?last=10&refused")[1][
                "decisions"]
        until(lambda: sum(d["path"] == path for d in last()) == n)
        look_anew(page)
        until(lambda: page.evaluate(
            "[...document.querySelectorAll('details')].map((d) => d.dataset.id)"
        ) == [d["request_id"] + d["time"] for d in last()])
    come(3)
    assert page.evaluate(id_of) == mine
    assert page.all("#recent details[open] pre").count() == 1
    page.press("Escape")
    assert page.evaluate(id_of) == mine
    page.press("Space")
    assert page.all("#recent details[open]").count() == 0
    come(10)
    assert page.evaluate(id_of) != mine
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


OUTSIDE = """[...document.querySelectorAll("body *")].filter((e) =>
    e.checkVisibility() && !e.closest(".scroll table, .skip") &&
    e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML)"""
SMALL = """%s.filter((e) => !e.matches(".skip")).map(
    (e) => [e.getBoundingClientRect(), e.textContent]).filter(
    ([box]) => box.width < %d || box.height < %d).map(([, text]) => text)""" % (
    FOCUSABLE, TARGET_PX, TARGET_PX)

RECENT = "document.querySelector('#recent .scroll')"


def left(page):
    """How far two tables have been scrolled."""
    return page.evaluate("['workers', 'blocked'].map((id) => "
                         "document.querySelector(`#${id} .scroll`).scrollLeft)")


@pytest.mark.heavy
def test_a_finger_is_enough(seen, chromium):
    """1.4.10, 2.5.8, on a phone: nothing is beside the screen but in tables that
    scroll by themselves, and stay there; what is touched is large enough."""
    page = log_in(chromium.page(**PHONE), seen)
    for width in PHONE["width"], NARROWEST:
        page.setViewportSize({"width": width, "height": PHONE["height"]})
        assert page.evaluate("[innerWidth, document.documentElement.scrollWidth]"
                             ) == [width, width]
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate(SMALL) == []
        # no word is cut where it may scroll
        cell = page.by_role("cell", "serving").all("nth=0").boundingBox()
        assert cell["height"] < LINE_PX * 2
    scrolled = [page.by_role("region", name) for name in
                ("Workers", "What decided")]
    was = [r.textContent() for r in scrolled]
    for region in scrolled:
        region.hover()
        page.do(("mouse",), ("wheel", 40, 0))
    until(lambda: left(page) == [40, 40])
    with seen.client() as c:
        c.get(LONG)
        until(lambda: look_anew(page) or all(
            r.textContent() != text for r, text in zip(scrolled, was)))
    assert left(page) == [40, 40]
    page.by_role("button", "Pause").tap()
    page.by_role("button", "Pause", pressed=True).waitFor()
    page.all("#recent summary:has-text('longlong') >> nth=0").tap()
    assert page.all("#recent details[open] pre").isVisible()
    assert page.evaluate(RECENT + ".scrollWidth === " + RECENT + ".clientWidth")
    page.by_role("button", "Forget the token").tap()
    page.by_role("textbox", "Token of [admin]").waitFor()
    assert page.evaluate(SMALL) == []


# [[its contrast, what it is]] of all texts that are seen, and of lines and borders
# that mean something; colours are those that the browser has computed.
CONTRASTS = """(() => {
    const parts = (c) => c.match(/[\\d.]+/g).map(Number);
    const over = ([r, g, b, a = 1], back) =>
        [r, g, b].map((v, i) => a * v + (1 - a) * back[i]);
    const light = (c) => c.map((v) => v / 255).map((v) =>
        v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const back = (e) => e ? over(parts(getComputedStyle(e).backgroundColor),
        back(e.parentElement)) : [255, 255, 255];
    const ratio = (colour, behind) => {
        const [low, high] = [light(over(parts(colour), behind)), light(behind)]
            .sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const texts = [], shapes = [];
    const look = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (look.nextNode()) {
        const e = look.currentNode.parentElement;
        if (look.currentNode.data.trim() && e.checkVisibility())
            texts.push([ratio(getComputedStyle(e).color, back(e)),
                look.currentNode.data]);
    }
    for (const e of document.querySelectorAll(".line, button, input, li")) {
        const style = getComputedStyle(e);
        const colour = e.matches(".line") ? style.stroke : style.borderTopColor;
        if (e.checkVisibility())
            shapes.push([ratio(colour, back(e.parentElement)),
                e.outerHTML.slice(0, 80)]);
        if (e.matches("input"))
            texts.push([ratio(style.color, back(e)), "input"]);
    }
    return [texts, shapes];
})()"""


@pytest.mark.heavy
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(seen, chromium, scheme):
    """1.4.3, 1.4.11, in both schemes, before and after the login."""
    page = chromium.page(colorScheme=scheme)
    visit(page, seen)
    page.type("wrong-token-of-sixteen")
    page.press("Enter")
    page.by_role("alert").all("text=not the token").waitFor()
    back = []
    for at_least in 6, 60:
        texts, shapes = page.evaluate(CONTRASTS)
        assert len(texts) >= at_least
        assert [t for t in texts if t[0] < TEXT_CONTRAST] == []
        assert [s for s in shapes if s[0] < SHAPE_CONTRAST] == []
        back.append(page.evaluate(
            "getComputedStyle(document.body).backgroundColor"))
        page.type(TOKEN)
        page.press("Enter")
        page.by_role("main").waitFor()
    assert len(set(back)) == 1
    is_dark = sum(map(int, back[0][4:-1].split(", "))) < 3 * 128
    assert is_dark == (scheme == "dark")
