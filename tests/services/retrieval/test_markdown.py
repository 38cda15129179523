"""Descriptions as HTML."""

import re

import pytest

from services.retrieval.replies.markdown import render_markdown

ALLOWED = re.compile(
    r'</?(?:p|strong|em|ul|ol|li|blockquote|h[2-6]|code|pre)>|<br>|<hr>|<ol start="\d+">|</a>'
    r'|<a (?:href="(?:https?|mailto|tel|geo):[^"<>]*" )?rel="noopener noreferrer">'
)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("One line\nand the next\n\nA paragraph", "<p>One line<br>\nand the next</p>\n<p>A paragraph</p>\n"),
        (
            "**b** *i*\n\n* one\n* two",
            "<p><strong>b</strong> <em>i</em></p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n",
        ),
        ("# History", "<h2>History</h2>\n"),
        ("3 < 5 & 7", "<p>3 &lt; 5 &amp; 7</p>\n"),
        ("", ""),
    ],
)
def test_markdown_becomes_html(text: str, html: str):
    """Paragraphs, lines, emphasis, lists and headings below the name of the exhibit."""
    assert render_markdown(text) == html


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[x](https://museum.example/a?b=1&c=2)", "https://museum.example/a?b=1&amp;c=2"),
        ("[call](tel:+8610123)", "tel:+8610123"),
        ("[map](geo:39.9,116.4)", "geo:39.9,116.4"),
        ("<mailto:info@museum.example>", "mailto:info@museum.example"),
        ("see https://museum.example/vase.", "https://museum.example/vase"),
        ("(http://museum.example/vase)", "http://museum.example/vase"),
        ("官网：https://museum.example/vase。周一闭馆", "https://museum.example/vase"),
        ("官网https://museum.example，周一闭馆", "https://museum.example"),
    ],
)
def test_addresses_are_links(text: str, address: str):
    """In brackets, in angle brackets or bare; a bare one ends before the sentence does, in Chinese as well."""
    assert re.findall('href="([^"]*)"', render_markdown(text)) == [address]


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt&colon;alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](ftp://a.example)",
        "[x](/index/images)",
        "[x](//a.example)",
        "//a.example ftp://a.example www.a.example",
        "[x][1]\n\n[1]: javascript:alert(1)",
    ],
)
def test_other_addresses_are_no_links(text: str):
    """Only what a phone opens safely is a link: the text stays, the address goes."""
    assert "href" not in render_markdown(text)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "&lt;img src=x onerror=alert(1)&gt;",
        "![x](https://a.example/b.png)",
        '[x](https://a.example/"onmouseover="alert(1))',
        '[x](https://a.example "title\\" onclick=\\"alert(1)")',
        "<a href='https://a.example' onclick='x'>a</a>",
        "`<b>`\n\n    <i>\n\n```html\n<u>\n```",
        "<style>*{display:none}</style>\n\n<!-- a --> <iframe>",
        "<https://a.example/<b>>",
    ],
)
def test_nothing_but_text_and_safe_elements_comes_out(text: str):
    """Whatever is written, each tag in the result is one of ours, with a safe address if any, and nothing else."""
    tags = re.findall("<[^>]*>", render_markdown(text))

    assert [tag for tag in tags if not ALLOWED.fullmatch(tag)] == []
