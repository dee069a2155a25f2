"""Builds twice.pyx; every module of the package promises that it needs no GIL."""

from Cython.Build import cythonize
from Cython.Compiler.Version import version
from setuptools import setup

directives = {"language_level": 3}
if tuple(map(int, version.split(".")[:2])) >= (3, 1):
    directives["freethreading_compatible"] = True

setup(name="twice", ext_modules=cythonize("twice.pyx", compiler_directives=directives))
