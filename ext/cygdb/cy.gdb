# Cython's commands for gdb:  gdb -x cy.gdb --args python program.py
# CYTHON_DEBUG: where cython_debug is, if not in this folder.
set breakpoint pending on
python
import glob, os, subprocess, sys

folder = os.environ.get("CYTHON_DEBUG", "cython_debug")
interpreter = open(os.path.join(folder, "interpreter")).read()

# 1. The Cython of your interpreter, for the Python that is inside gdb.
ask = "import Cython; print(Cython.__path__[0])"
cython = subprocess.check_output([interpreter, "-c", ask], text=True)
sys.path.append(os.path.dirname(cython.strip()))
from Cython.Debugger import libcython, libpython
gdb.execute("set cy_colorize_code off")

# 2. CPython's own extension last: its py-bt, its way to read a dict.
own = os.environ.get("PYTHON_GDB")
own = own or os.path.realpath(interpreter) + "-gdb.py"
if os.path.exists(own):
    gdb.pretty_printers.clear()
    gdb.execute("source " + own)
    def items(a_dict):
        return PyDictObjectPtr(a_dict._gdbval).iteritems()
    libpython.PyDictObjectPtr.iteritems = items

# 3. What Cython wrote down about your modules.
for notes in glob.glob(os.path.join(folder, "cython_debug_info_*")):
    gdb.execute("cy import " + notes)
end
