"""A wheel of ends.c for the interpreter that runs this."""

from setuptools import Extension, setup

setup(name="ends", version="1.0", ext_modules=[Extension("ends", ["ends.c"])])
