"""A wheel of ends.c: for the limited API where there is one, else for this version alone."""

import sysconfig

from setuptools import Extension, setup

LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    name="ends",
    version="1.0",
    ext_modules=[
        Extension(
            "ends",
            ["ends.c"],
            py_limited_api=LIMITED,
            define_macros=[("Py_LIMITED_API", "0x030d0000")] if LIMITED else [],
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp313"} if LIMITED else {}},
)
