"""For a debugger. (RACE_POINT needs a header of racelab's.)"""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

import racelab

headers = str(Path(racelab.__file__).parent.parent)
counter = Extension(
    "cy_counter_broken",
    ["cy_counter_broken.pyx"],
    include_dirs=[headers],
    extra_compile_args=["-O0", "-g"],
)
setup(name="counter", ext_modules=cythonize([counter], gdb_debug=True))
