"""Renders descriptions: Markdown (CommonMark) to HTML that is safe in any page."""

from functools import cache, lru_cache

import nh3
from linkify_it import LinkifyIt
from markdown_it import MarkdownIt

_TAGS = {
    "a",
    "blockquote",
    "br",
    "code",
    "em",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "strong",
    "ul",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
}
# In Chinese no space follows an address: it ends before the first letter or mark that is not ASCII.
_ADDRESS = r"^//[A-Za-z0-9](?:[!#-;=?-~]*[A-Za-z0-9/#%&+=_-])?"
_SCHEMES = {"http", "https", "mailto", "tel", "geo"}


@lru_cache(maxsize=512)
def render_markdown(text: str) -> str:
    r"""Render a text. HTML in it is shown as text, line breaks stay, addresses with a scheme become links.

    Pictures are left out, because a visitor's phone would ask another server for them. Headings begin with ``h2``: the
    page's own is the name.

    >>> render_markdown("# Vase\n\nBlue & <b>white</b>: https://museum.example/vase")
    '<h2>Vase</h2>\n<p>Blue &amp; &lt;b&gt;white&lt;/b&gt;: <a href="https://museum.example/vase" rel="noopener noreferrer">https://museum.example/vase</a></p>\n'
    """
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    return _cleaner().clean(parser.renderer.render(tokens, parser.options, {}))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True})
    parser.enable("linkify").disable("image")
    addresses = LinkifyIt({"http:": {"validate": _ADDRESS}, "https:": "http:"})
    addresses.set({"fuzzy_link": False, "fuzzy_email": False}).add("ftp:", None).add("//", None)
    parser.linkify = addresses
    return parser


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
        url_schemes=_SCHEMES,
        url_relative="deny",
        link_rel="noopener noreferrer",
    )
