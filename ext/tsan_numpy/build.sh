# NumPy for the ThreadSanitizer interpreter of `make tsan`. In a folder of your own, with NumPy's source unpacked in src:
#
#     PYTHON=.../python3.13t sh build.sh
#
# What Python programs the build runs by itself, Cython among them, an ordinary python3 runs: under ThreadSanitizer they
# take long. No BLAS and no SIMD: less to compile, and what is not compiled so would not be seen.
set -e
here=$PWD
python3 -m venv tools
tools/bin/python -m pip install -q "cython==3.3.1"
PATH=$here/tools/bin:$PATH
export TSAN_OPTIONS="report_bugs=0" # the build may race, and must not fail for it
cat >native.ini <<END
[binaries]
c = 'clang-19'
cpp = 'clang++-19'
python = '$PYTHON'
cython = '$here/tools/bin/cython'
END
meson="python src/vendored-meson/meson/meson.py" # Meson as NumPy brings it
$meson setup build src --native-file native.ini --prefix "$here/numpy" --buildtype=debug -Doptimization=1 \
    -Db_sanitize=thread -Db_lundef=false -Dblas=none -Dlapack=none -Dallow-noblas=true \
    -Ddisable-optimization=true -Dcpu-baseline=none -Dcpu-dispatch=none
ninja -C build -j2
$meson install -C build --no-rebuild
echo "RACELAB_TSAN_NUMPY=$here/numpy"
