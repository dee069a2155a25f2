"""Imports a module from the folder that one stands in, and says what became of the GIL."""

import importlib
import sys
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, "")
importlib.import_module(sys.argv[1])
print("GIL on:", sys._is_gil_enabled())
