"""Living figures: small pictures that a reader plays with, on a page of the site or in a notebook.

Each is one JavaScript module in `racelab/widgets`, written as anywidget wants it, and a state: numbers that were
recorded or have just been raced. In a notebook anywidget shows it. On the site the page carries the state, and
`mount.js` brings the same module to life: no kernel, no network, no widget manager. Where no JavaScript runs, on
paper or in a viewer, a still picture stands in its place.

    from racelab import living
    living.planner(p=0.001, speeds={"rounds": 1e6})
"""

from racelab.living._explorer import Explorer, explorer
from racelab.living._figure import STATIC, WIDGETS, Living, module_text, style_text
from racelab.living._interleaver import interleaver
from racelab.living._planner import planner
from racelab.living._scan import scan
from racelab.living._timeline import timeline
from racelab.living._zoo import zoo

__all__ = [
    "STATIC",
    "WIDGETS",
    "Explorer",
    "Living",
    "explorer",
    "interleaver",
    "module_text",
    "planner",
    "scan",
    "style_text",
    "timeline",
    "zoo",
]
