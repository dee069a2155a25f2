"""Only what pyproject.toml can't say yet without a warning: the native module."""

from pathlib import Path

from setuptools import Extension, setup

SOURCE = Path("src/racelab")

setup(
    ext_modules=[
        Extension(
            "racelab._race",
            sources=[str(path) for path in sorted(SOURCE.glob("_race*.c"))],
            depends=[str(path) for path in sorted(SOURCE.glob("*.h"))],
            extra_compile_args=["-std=c11", "-fvisibility=hidden", "-pthread"],
            extra_link_args=["-pthread"],
        )
    ]
)
