#!/bin/sh
# Build hall.c with Meson and ThreadSanitizer, in an environment that is thrown away, and run visit.py on it.
# Needs the network (meson-python, ninja), uv, clang-19 and the interpreter of `make tsan`: PYTHON names it.
set -e
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cp "$here/meson.build" "$here/pyproject.toml" "$here/../tsan/hall.c" "$here/../tsan/visit.py" "$place"
cd "$place"
export VIRTUAL_ENV="$place/venv" PATH="$place/venv/bin:$PATH" CC=clang-19
# Installers run under ThreadSanitizer, too. What it thinks of them is not the question.
export TSAN_OPTIONS=report_bugs=0
uv venv --quiet --python "$PYTHON" venv
uv pip install --quiet meson-python meson ninja
say() { echo "\$ $*"; }
say 'CC=clang-19 pip install --no-build-isolation -Csetup-args=-Db_sanitize=thread -Csetup-args=-Dbuildtype=debugoptimized .'
uv pip install -v --no-build-isolation -Csetup-args=-Db_sanitize=thread -Csetup-args=-Dbuildtype=debugoptimized . 2>&1 | grep -oE 'C compiler for .*'
say 'nm -D hall.*.so | grep -c __tsan_'
nm -D venv/lib/python3*/site-packages/hall.*.so | grep -c __tsan_
say 'python visit.py'
status=0
TSAN_OPTIONS= python visit.py || status=$?
say 'echo $?'
echo $status
