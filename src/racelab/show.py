"""Show source code of the book where it is: in `ext/`, with the line numbers of the real file."""

from __future__ import annotations

import difflib
import html
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Listing", "find_book", "find_ext", "show_diff", "show_source", "source_file"]

#: A line that begins or ends a region: `/* [race] */`, `// [race:state]`, `# [race]`.
MARKER = re.compile(r"^\s*(?:/\*|//|#)\s*\[(?P<name>race(?::[\w-]+)?)\]\s*(?:\*/)?\s*$")
LEXERS = {
    ".c": "c",
    ".h": "c",
    ".cpp": "cpp",
    ".cc": "cpp",
    ".cxx": "cpp",
    ".hpp": "cpp",
    ".pyx": "cython",
    ".pxd": "cython",
    ".py": "python",
    ".rs": "rust",
}
CONTEXT_LINES = 3
#: A number that is missing in a diff is that of a marker, which nobody but this module reads.
DIFF_NOTE = "Numbers at - are of the old file, others of the new one. Lines that mark a region are left out."
#: Where the book is if this package was not installed but is used in its folder.
_ABOVE = Path(__file__).resolve().parents


@dataclass(frozen=True)
class Listing:
    """Some lines of a file, or a diff of two; prints as text, and highlighted in a notebook.

    Attributes:
        title: what is shown.
        path: the (first) file.
        lines: (number in the file, text) of each line; number None where lines are left out. In a
            diff, a line that is in the old file only has its number there, all others that in the new one.
        language: name of a Pygments lexer.
        note: how to read the numbers, where that needs saying; shown under the title.
    """

    title: str
    path: Path
    lines: tuple[tuple[int | None, str], ...]
    language: str
    note: str = ""

    def __str__(self) -> str:
        width = max((len(str(number)) for number, _ in self.lines if number), default=1)
        return "\n".join(f"{number or '':>{width}}  {text}".rstrip() for number, text in self.lines)

    def __repr__(self) -> str:
        return f"Listing({self.title!r}, {len(self.lines)} lines)"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        head = f"{self.title}\n{self.note}" if self.note else self.title
        printer.text(f"{head}\n{self}" if not cycle else "Listing(...)")

    def _repr_html_(self) -> str:
        width = max((len(str(number)) for number, _ in self.lines if number), default=1)
        body = "".join(
            f'<span class="linenos" style="opacity:.7;user-select:none">{number or "":>{width}} </span>'
            f"{code}\n"
            for (number, _), code in zip(self.lines, self._highlighted(), strict=True)
        )
        note = f"<br><small>{html.escape(self.note)}</small>" if self.note else ""
        return (
            f'<div class="racelab-source"><p style="margin:.3em 0"><code>{html.escape(self.title)}</code>{note}</p>'
            f'<div class="highlight-{self.language} notranslate"><div class="highlight">'
            f'<pre tabindex="0">{body}</pre></div></div></div>'
        )

    def _highlighted(self) -> list[str]:
        """Each line as HTML; plain where Pygments is missing."""
        plain = [text for _, text in self.lines]
        try:
            from pygments import highlight
            from pygments.formatters import HtmlFormatter
            from pygments.lexers import get_lexer_by_name
        except ImportError:
            return [html.escape(text) for text in plain]
        lexer = get_lexer_by_name(self.language, stripnl=False, ensurenl=False)
        # The lexer for diffs wants a line break after the last line, too.
        coloured = highlight("\n".join(plain) + "\n", lexer, HtmlFormatter(nowrap=True))
        found = coloured.rstrip("\n").split("\n") if plain else []
        # A lexer that eats trailing blank lines must not shift the numbers.
        return found + [""] * (len(plain) - len(found))


def show_source(
    slug: str, variant: str, region: str | None = None, *, header: bool = True
) -> Listing:
    """Source of one variant of a lab, with the line numbers of its file; region markers are left out.

    Args:
        slug: the lab, e.g. "borrowed_ref".
        variant: "broken", "fixed" and so on.
        region: only what is between the markers of that name, e.g. "race". Default: the whole file.
        header: with the comment at the top, which says what is wrong. False where a reader shall find it.

    Raises:
        FileNotFoundError: no such lab or variant; the message names those that are there.
        ValueError: the file has no such region; the message names those that it has.
    """
    path = source_file(slug, variant)
    texts = path.read_text(encoding="utf-8").splitlines()
    title = f"{path.parent.name}/{path.name}"
    if region is None:
        first = 0 if header else _header_length(texts)
        chosen: list[tuple[int | None, str]] = [(n, t) for n, t, _ in _body(texts) if n > first]
        while chosen and not chosen[0][1].strip():
            del chosen[0]
    else:
        chosen = _region(texts, region, path)
        title += f" [{region}]"
    return Listing(title, path, tuple(chosen), LEXERS.get(path.suffix, "text"))


def show_diff(slug: str, a: str, b: str) -> Listing:
    """What turns variant `a` of a lab into variant `b`: a diff without headers, markers and names.

    Line numbers are those of `b`, and those of `a` for lines that only `a` has. What this leaves out,
    a note under the title says.

    Raises:
        FileNotFoundError: as for `show_source`.
    """
    old_path, new_path = source_file(slug, a), source_file(slug, b)
    old, new = (_numbered(path) for path in (old_path, new_path))
    # The pair's names differ everywhere; that is not what the reader shall look at.
    old_keys = [text.replace(f"{slug}_{a}", f"{slug}_{b}") for _, text in old]
    new_keys = [text for _, text in new]
    groups = difflib.SequenceMatcher(None, old_keys, new_keys, autojunk=False).get_grouped_opcodes(
        CONTEXT_LINES
    )
    lines: list[tuple[int | None, str]] = []
    for group in groups:
        if lines:
            lines.append((None, "  ..."))
        lines += _diff_lines(group, old, new)
    title = f"{slug}: {old_path.name} -> {new_path.name}"
    return Listing(title, old_path, tuple(lines), "diff", DIFF_NOTE)


def _diff_lines(
    group: Sequence[tuple[str, int, int, int, int]],
    old: list[tuple[int, str]],
    new: list[tuple[int, str]],
) -> Iterator[tuple[int | None, str]]:
    for tag, i1, i2, j1, j2 in group:
        if tag == "equal":
            yield from ((number, f"  {text}".rstrip()) for number, text in new[j1:j2])
            continue
        yield from ((number, f"- {text}") for number, text in old[i1:i2])
        yield from ((number, f"+ {text}") for number, text in new[j1:j2])


def _numbered(path: Path) -> list[tuple[int, str]]:
    """Lines with their numbers, without header and markers."""
    texts = path.read_text(encoding="utf-8").splitlines()
    start = _header_length(texts)
    return [(number, text) for number, text, _ in _body(texts) if number > start]


def _header_length(texts: Sequence[str]) -> int:
    """How many lines the comment at the top of the file has."""
    if texts and texts[0].startswith("/*"):
        for number, text in enumerate(texts, start=1):
            if "*/" in text:
                return number
    count = 0
    for text in texts:
        if not text.startswith(("#", "//")) or MARKER.match(text) or text.startswith("#include"):
            break
        count += 1
    return count


def _body(texts: Sequence[str]) -> Iterator[tuple[int, str, str | None]]:
    """Line number, text and region of every line that is not a marker."""
    inside: str | None = None
    for number, text in enumerate(texts, start=1):
        marker = MARKER.match(text)
        if marker is None:
            yield number, text, inside
        elif inside is None:
            inside = marker["name"]
        else:
            inside = None


def _region(texts: Sequence[str], region: str, path: Path) -> list[tuple[int | None, str]]:
    chosen: list[tuple[int | None, str]] = []
    last = 0
    for number, text, inside in _body(texts):
        if inside != region:
            continue
        if chosen and number > last + 1:
            chosen.append((None, "..."))
        chosen.append((number, text))
        last = number
    if not chosen:
        names = sorted({match["name"] for text in texts if (match := MARKER.match(text))})
        known = ", ".join(names) if names else "none"
        raise ValueError(f"{path.name} has no region [{region}]; it has: {known}.")
    return chosen


def source_file(slug: str, variant: str) -> Path:
    """The file ``ext/<slug>/<slug>_<variant>.<suffix>``.

    Raises:
        FileNotFoundError: the message names the labs or variants that are there.
    """
    folder = find_ext() / slug
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in folder.parent.iterdir() if path.is_dir()))
        raise FileNotFoundError(f"there is no lab {slug!r} in {folder.parent}; there are: {known}.")
    for suffix in LEXERS:
        path = folder / f"{slug}_{variant}{suffix}"
        if path.is_file():
            return path
    known = ", ".join(
        sorted(path.name for path in folder.glob(f"{slug}_*") if path.suffix in LEXERS)
    )
    raise FileNotFoundError(
        f"{folder} has no variant {variant!r}; it has: {known or 'no sources'}."
    )


def find_book(folder: str = "ext") -> Path:
    """The book's root, which has this folder: RACELAB_BOOK, else the nearest above here, else above this package.

    Raises:
        FileNotFoundError: there is none.
    """
    wanted = os.environ.get("RACELAB_BOOK")
    if wanted:
        root = Path(wanted).resolve()
        if not (root / folder).is_dir():
            raise FileNotFoundError(
                f"RACELAB_BOOK={wanted} has no folder {folder}; set it to the book's root."
            )
        return root
    here = [Path.cwd(), *Path.cwd().parents]
    for places, sign in ((here, "_toc.yml"), (here, "ext"), (_ABOVE, "_toc.yml")):
        for place in places:
            if (place / folder).is_dir() and (place / sign).exists():
                return place
    raise FileNotFoundError(
        f"no folder {folder} in {here[0]} or above: run this inside the book, or set RACELAB_BOOK to its root."
    )


def find_ext() -> Path:
    """The book's folder `ext`. Raises as `find_book`."""
    return find_book() / "ext"
