"""Colour the cells that hold another language: `%%c`, `%%cpp` and `%%cython`.

IPython's lexer takes their bodies for plain text. Here the magic's line keeps its own colour, and the
rest goes to the lexer of its language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, _TokenType
from sphinx.application import Sphinx

MAGIC = re.compile(r"\s*%%(?P<name>c|cpp|cython)\b[^\n]*\n")
LANGUAGES = {"c": "c", "cpp": "cpp", "cython": "cython"}
Plain: Any = type(get_lexer_by_name("ipython3"))


class CellLexer(Plain):
    """IPython's lexer, but for cells that compile their body."""

    name = "IPython cell"
    aliases = ("ipython3",)

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, _TokenType, str]]:
        """Tokens of one cell, with their positions."""
        found = MAGIC.match(text)
        if found is None:
            yield from super().get_tokens_unprocessed(text)
            return
        yield 0, Comment.Preproc, found[0]
        body = get_lexer_by_name(LANGUAGES[found["name"]])
        for position, kind, part in body.get_tokens_unprocessed(text[found.end() :]):
            yield found.end() + position, kind, part


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx entry point."""
    app.add_lexer("ipython3", CellLexer)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
