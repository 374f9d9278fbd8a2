"""The guides and the reference of all names as pages: ``python -m experiments.guides outputs/docs`` (``make docs``)."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from scar.commands.api_reference import write_reference

GUIDES = Path(__file__).parent
FRONT = "README"
LINK = re.compile(r"^(?!\w+:|#)(?P<path>[^#]+)(?P<anchor>#.*)?$")


def page_names() -> list[str]:
    """Names of the pages in the order in which the front page lists them, itself first."""
    front = (GUIDES / f"{FRONT}.md").read_text(encoding="utf-8")
    listed = re.findall(r"\]\((\w+)\.md\)", front)
    if missing := {path.stem for path in GUIDES.glob("*.md")} - {FRONT, *listed}:
        raise ValueError(f"{FRONT}.md does not list {', '.join(sorted(missing))}")
    return [FRONT, *listed]


def title_of(name: str) -> str:
    """Title of a page: its first line."""
    return (GUIDES / f"{name}.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def to_html(text: str, folder: Path) -> str:
    """Render Markdown: equations of ``math`` blocks become MathML, links to pages those of the pages.

    Args:
        text: Markdown.
        folder: where the page will lie; links to other files of the repository lead there.
    """
    from latex2mathml.converter import convert
    from markdown_it import MarkdownIt

    def fence(self, tokens, at, options, env):
        if tokens[at].info.strip() == "math":
            return f'<div class="equation">{convert(tokens[at].content, display="block")}</div>\n'
        tokens[at].info = tokens[at].info.split(" ")[0]
        return plain(tokens, at, options, env)

    def link_open(self, tokens, at, options, env):
        tokens[at].attrSet("href", target(str(tokens[at].attrGet("href")), folder))
        return self.renderToken(tokens, at, options, env)

    def heading_open(self, tokens, at, options, env):
        words = re.sub(r"[^\w\s-]", "", tokens[at + 1].content.lower())
        tokens[at].attrSet("id", re.sub(r"\s", "-", words.strip()))
        return self.renderToken(tokens, at, options, env)

    markdown = MarkdownIt("commonmark").enable("table")
    plain = markdown.renderer.rules["fence"]
    for rule, function in {"fence": fence, "link_open": link_open, "heading_open": heading_open}.items():
        markdown.add_render_rule(rule, function)
    return markdown.render(text)


def target(link: str, folder: Path) -> str:
    """Where a link of a page leads from the folder of rendered pages."""
    found = LINK.match(link)
    if not found:
        return link
    path = (GUIDES / found["path"]).resolve()
    anchor = found["anchor"] or ""
    if path.parent == GUIDES.resolve() and path.suffix == ".md":
        return f"{file_of(path.stem)}.html{anchor}"
    return Path(os.path.relpath(path, folder.resolve())).as_posix() + anchor


def file_of(name: str) -> str:
    """Name of the file of a page."""
    return "index" if name == FRONT else name


def write_guides(folder: Path) -> list[Path]:
    """Write one HTML page per guide and return them; they ask nothing of any server.

    Args:
        folder: made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    template = Environment(autoescape=True).from_string((GUIDES / "page.html").read_text(encoding="utf-8"))
    pages = [(file_of(name), title_of(name)) for name in page_names()]
    written = []
    for name in page_names():
        body = to_html((GUIDES / f"{name}.md").read_text(encoding="utf-8"), folder)
        path = folder / f"{file_of(name)}.html"
        html = template.render(title=title_of(name), pages=pages, current=file_of(name), body=Markup(body))
        path.write_text(html, encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    docs = Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/docs")
    print(f"guides: {docs / 'index.html'} ({len(write_guides(docs))} pages)")
    reference = write_reference(docs / "reference", GUIDES / "templates")
    print(f"reference: {docs / 'reference' / 'index.html'} ({len(reference)} pages)")
