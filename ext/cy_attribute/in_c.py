"""What Cython makes of a line: the C code, with its names shortened.

Runs in a child process. argv: SOURCE (a .pyx file), then lines of it, or names of macros of the C file.
Leaves `result`: the C code for all of them, as one text. A C file beside the source is used if it is there
(%%cython leaves one), else the source is translated.

Left out are lines that check Cython itself and mean nothing in an ordinary build (GOTREF, GIVEREF), and
where an error goes. Shortened are names: `__pyx_v_self` is `self`.
"""

import re
import sys
import tempfile
from pathlib import Path

from Cython.Compiler.Main import CompilationOptions, compile

source = Path(sys.argv[1]).resolve()
beside = source.with_suffix(".c")
if beside.is_file():
    code = beside.read_text()
else:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.c"
        compile(str(source), CompilationOptions(output_file=str(out), language_level=3))
        code = out.read_text()

# A comment quotes some lines of the source, one of them marked, and the C code for that one follows.
BLOCK = re.compile(
    rf'/\* "[^"\n]*{re.escape(source.name)}":\d+\n(?P<quoted>.*?)\*/\n(?P<code>.*?)(?=/\* "|/\* function exit)',
    re.DOTALL,
)
NOISE = re.compile(r"^\s*(__Pyx_X?(GOTREF|GIVEREF)\(.*\);|goto __pyx_L\d+;|)$")


def short(text):
    """The same C code, easier on the eyes."""
    lines = [line.rstrip("\\ ") for line in text.splitlines()]
    text = "\n".join(line for line in lines if not NOISE.match(line))
    text = re.sub(r"; if \((unlikely|likely)\(.*", ";", text)
    text = re.sub(r"if \((.*) != \(0\)\) __PYX_ERR\(.*\);", r"\1;", text)
    text = re.sub(r"__Pyx_X?(GOTREF|GIVEREF)\(.*?\);", "", text)
    text = re.sub(r"struct __pyx_vtabstruct_\d+\w+?_(?=[A-Z])", "struct methods_of_", text)
    text = re.sub(rf"\b__pyx_[vf]_\d+{source.stem}_", "", text)
    text = text.replace("__pyx_v_", "").replace("__pyx_vtab", "methods").replace("__pyx_", "")
    text = text.replace("mstate_global->", "")
    depth = min((len(line) - len(line.lstrip()) for line in text.splitlines()), default=0)
    return "\n".join(line[depth:].rstrip() for line in text.splitlines() if line.strip())


def in_c(wanted):
    """The C code for a line of the source, or the definition of a macro."""
    macro = re.search(rf"#define {re.escape(wanted)}\((?:.*\\\n)*.*", code)
    if macro:
        return "\n".join(line.rstrip("\\ ") for line in macro[0].splitlines())
    for block in BLOCK.finditer(code):
        (marked,) = re.findall(r"^ \* (.*?)\s+# <{5,}", block["quoted"], re.M)[:1] or [""]
        if marked.strip() == wanted and short(block["code"]):
            return f"/* {wanted} */\n{short(block['code'])}"
    raise LookupError(f"{source.name}: Cython made nothing of the line {wanted!r}")


result = "\n\n".join(map(in_c, sys.argv[2:]))
