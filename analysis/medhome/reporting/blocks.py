"""A piece of a page: HTML for the report, plain text for everything else.

Page functions return blocks; `show` displays them in a notebook. Everything that is not markup is escaped
here, once, so that a label from the data cannot become markup.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

_HYPHEN = re.compile(r"(?<![\w)\-.])-(?=\$?\d)")
_BELOW_ZERO = re.compile(r"\N{MINUS SIGN}\$?\d[\d,]*(?:\.\d+)?%?")


@dataclass(frozen=True)
class Block:
    """One part of a page.

    >>> Block(html="<p>A &amp; B</p>", text="A & B")
    A & B
    """

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text

    def __add__(self, other: Block) -> Block:
        return Block(html=f"{self.html}\n{other.html}".strip(), text=f"{self.text}\n\n{other.text}".strip())


NOTHING = Block(html="", text="")


def show(*blocks: Block) -> None:
    """Display blocks in a notebook; outside one, print their text."""
    from IPython.display import display

    for block in blocks:
        if block.html or block.text:
            display(block)


def escape(text: object) -> str:
    """Text made safe for HTML, attributes included."""
    return html.escape(str(text), quote=True)


def prose(text: str) -> str:
    """A sentence as HTML: escaped, with real minus signs, and none of them parted from its amount.

    >>> prose("It fell by −$1.78 & more")
    'It fell by <span class="nb">−$1.78</span> &amp; more'
    """
    text = _HYPHEN.sub("\N{MINUS SIGN}", text)
    parts, last = [], 0
    for match in _BELOW_ZERO.finditer(text):
        parts += [escape(text[last : match.start()]), f'<span class="nb">{escape(match[0])}</span>']
        last = match.end()
    return "".join([*parts, escape(text[last:])])


def paragraphs(sentences: Iterable[str], css: str = "") -> Block:
    """One paragraph for each sentence; empty ones are left out."""
    kept = [s for s in sentences if s]
    mark = f' class="{css}"' if css else ""
    return Block(html="\n".join(f"<p{mark}>{prose(s)}</p>" for s in kept), text="\n\n".join(kept))


def bullets(sentences: Iterable[str]) -> Block:
    """A list with one sentence a point."""
    kept = [s for s in sentences if s]
    if not kept:
        return NOTHING
    points = "".join(f"<li>{prose(s)}</li>" for s in kept)
    return Block(html=f"<ul>{points}</ul>", text="\n".join(f"- {s}" for s in kept))


def notice(title: str, sentences: Iterable[str], kind: str = "note") -> Block:
    """A box that is read before anything else; kind is "note" or "warning"."""
    kept = [s for s in sentences if s]
    if not kept:
        return NOTHING
    body = f"<p>{prose(kept[0])}</p>" if len(kept) == 1 else bullets(kept).html
    markup = f'<div class="notice {kind}" role="note"><p class="what">{escape(title)}</p>{body}</div>'
    return Block(html=markup, text="\n".join([title, *(f"- {s}" for s in kept)]))
