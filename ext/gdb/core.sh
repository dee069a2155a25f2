# A crash without a debugger, and gdb on what it left behind.
here=$(cd "$(dirname "$0")" && pwd)
there=$(mktemp -d)
cd "$there"

ulimit -c unlimited
python "$here/shelf.py"
echo "exit status $?"
gdb -nx -q -batch -ix "$here/settings.gdb" \
    -ex 'set print frame-arguments presence' \
    -ex 'thread apply all bt 8' -ex py-bt "$(command -v python)" core*

rm -r "$there"
