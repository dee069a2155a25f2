# For a gdb that shall know Python:
#     gdb -ix ext/gdb/settings.gdb --args python your_program.py
# What you like of it may go into ~/.config/gdb/gdbinit
# (gdb reads that one unless it is started with -nx).

# Trust what lies beside the interpreter that "python" starts:
# CPython's extension of gdb, with py-bt, is there.
python
import subprocess
ask = ["python", "-c", "import sys; print(sys.base_prefix)"]
prefix = subprocess.run(ask, capture_output=True, text=True)
gdb.execute(f"add-auto-load-safe-path {prefix.stdout.strip()}")
end

# A breakpoint in a module that is not imported yet: set it then.
set breakpoint pending on
# No questions, no pages, no line for each thread that comes and
# goes, nothing from the network.
set confirm off
set pagination off
set print thread-events off
set debuginfod enabled off
