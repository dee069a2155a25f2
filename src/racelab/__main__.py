"""``python -m racelab``: the same as the command ``racelab``."""

import sys

from racelab.cli import main

sys.exit(main())
