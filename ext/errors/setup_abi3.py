"""A wheel of ends.c for the limited API: refused where there is none."""

from setuptools import Extension, setup

setup(
    name="ends",
    version="1.0",
    ext_modules=[
        Extension(
            "ends",
            ["ends.c"],
            py_limited_api=True,
            define_macros=[("Py_LIMITED_API", "0x030d0000")],
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp313"}},
)
