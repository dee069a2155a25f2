#!/bin/bash
# check_wheel.sh WHEEL MODULE: does a wheel do on this interpreter what its name says?
set -e
unset PYTHON_GIL
python -m venv --without-pip fresh && trap 'rm -rf fresh' EXIT
python -m pip --python fresh/bin/python install -q --no-deps --no-index "$1"
unzip -l "$1" | grep -o '[^ /]*\.so$'
fresh/bin/python -P -W error::RuntimeWarning -c "
import sys, $2
print('$2: imported, GIL', 'on' if sys._is_gil_enabled() else 'off')"
