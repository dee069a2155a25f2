# Cython's commands for a gdb that cygdb cannot start:  gdb -x cy.gdb --args python program.py
# CYTHON_DEBUG names the folder cython_debug, where it is another one than ./cython_debug.
set breakpoint pending on
python
import glob, os, subprocess, sys

folder = os.environ.get("CYTHON_DEBUG", "cython_debug")
interpreter = open(os.path.join(folder, "interpreter")).read()

# 1. The Cython that your interpreter has, for the Python that is inside gdb.
where = "import Cython, os; print(os.path.dirname(os.path.dirname(Cython.__file__)))"
sys.path.append(subprocess.check_output([interpreter, "-c", where], text=True).strip())
from Cython.Debugger import libcython, libpython
gdb.execute("set cy_colorize_code off")

# 2. CPython's own extension last: its py-bt, and its way to read a dict.
own = os.environ.get("PYTHON_GDB") or os.path.realpath(interpreter) + "-gdb.py"
if os.path.exists(own):
    gdb.pretty_printers.clear()
    gdb.execute("source " + own)
    libpython.PyDictObjectPtr.iteritems = lambda d: PyDictObjectPtr(d._gdbval).iteritems()

# 3. What Cython wrote down about your modules.
for info in sorted(glob.glob(os.path.join(folder, "cython_debug_info_*"))):
    gdb.execute("cy import " + info)
end
