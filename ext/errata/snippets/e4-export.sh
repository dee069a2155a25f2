export TSAN_OPTIONS="suppressions=$PWD/known"
python -m pytest -q
