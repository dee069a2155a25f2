"""who_waits.py: one thread naps in C, and somebody may have to wait until it is done.

    the napper      calls a C function that does nothing but sleep, for 300 ms
    the collector   comes a little later, and calls gc.collect()
    the bystander   runs a Python loop that has to do with neither
    the returner    has called another C function, which sleeps detached, and for 90 ms only

Goal   For each scenario, name those who are held up until the nap is over: a list of "collector",
       "bystander", "returner"; [] if nobody is. Predict first. The check runs all of them here.
Check  racelab check who_waits        Stuck?  racelab hint who_waits
"""

# The napper stays attached. The GIL is off. There are a collector and a bystander.
# BEGIN STARTER
# ATTACHED = None
# BEGIN SOLUTION
ATTACHED = [
    "collector",
    "bystander",
]  # the one waits for the napper, the other has paused for the one
# END

# The same, but the napper has detached: Py_BEGIN_ALLOW_THREADS, sleep, Py_END_ALLOW_THREADS.
# BEGIN STARTER
# DETACHED = None
# BEGIN SOLUTION
DETACHED = []
# END

# The napper stays attached. The GIL is off. There is a bystander, and nobody collects.
# BEGIN STARTER
# NOBODY_COLLECTS = None
# BEGIN SOLUTION
NOBODY_COLLECTS = []  # attached is no lock: nobody wants the world to stop
# END

# The same with the GIL on (PYTHON_GIL=1): the napper stays attached, there is a bystander.
# BEGIN STARTER
# WITH_GIL = None
# BEGIN SOLUTION
WITH_GIL = ["bystander"]  # the napper has the GIL
# END

# The napper stays attached. The GIL is off. There are a collector and a returner. When the returner's
# C function is done, the collector has already begun.
# BEGIN STARTER
# COMES_BACK = None
# BEGIN SOLUTION
COMES_BACK = ["collector", "returner"]  # who wants to attach waits until the world goes on
# END

# The GIL is off. It is not a Python thread that naps, but one that a C library has made by
# pthread_create: it has no thread state. There are a collector and a bystander.
# BEGIN STARTER
# FOREIGN = None
# BEGIN SOLUTION
FOREIGN = []  # Python does not know of it
# END
