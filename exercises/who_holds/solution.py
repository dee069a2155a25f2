"""who_holds.py: a shop that stands still. Its source is exercises/who_holds/given.c.

gdb was attached to it; the frames of the interpreter are left out, paths are shortened:

    (gdb) thread apply all bt

    Thread 5 (Thread 0x7f94561196c0 (LWP 20911) "python"):
    #10 PyMutex_Lock (m=m@entry=0x7f945792d0a0 <shop>) at Python/lock.c:584
    #12 audit (_unused_module=<optimized out>, _unused_ignored=<optimized out>) at given.c:56

    Thread 4 (Thread 0x7f945691e6c0 (LWP 20910) "python"):
    #10 PyMutex_Lock (m=m@entry=0x7f945792d0a1 <shop+1>) at Python/lock.c:584
    #12 sell (_unused_module=<optimized out>, _unused_ignored=<optimized out>) at given.c:29

    Thread 3 (Thread 0x7f94571236c0 (LWP 20909) "python"):
    #10 PyMutex_Lock (m=m@entry=0x7f945792d0a0 <shop>) at Python/lock.c:584
    #12 peek (_unused_module=<optimized out>, _unused_ignored=<optimized out>) at given.c:66

    Thread 2 (Thread 0x7f94579286c0 (LWP 20906) "python"):
    #10 PyMutex_Lock (m=m@entry=0x7f945792d0a2 <shop+2>) at Python/lock.c:584
    #12 write_line () at given.c:18
    #13 refund (_unused_module=<optimized out>, _unused_ignored=<optimized out>) at given.c:42

    (gdb) print &shop.stock
    $1 = (PyMutex *) 0x7f945792d0a0 <shop>
    (gdb) print &shop.cash
    $2 = (PyMutex *) 0x7f945792d0a1 <shop+1>
    (gdb) print &shop.log
    $3 = (PyMutex *) 0x7f945792d0a2 <shop+2>
    (gdb) print shop
    $4 = {stock = {_bits = 3}, cash = {_bits = 3}, log = {_bits = 3}, pieces = 999994, cents = -1100, lines = 26}

Goal   Who waits for which lock, who has which lock since which line, and which threads would wait for
       ever even if all others were gone.
Check  racelab check who_holds        Stuck?  racelab hint who_holds
"""

# Thread -> the lock that it waits for: "stock", "cash" or "log".
WAITS_FOR = {
    # BEGIN STARTER
    # 2: None,
    # 3: None,
    # 4: None,
    # 5: None,
    # BEGIN SOLUTION
    2: "log",
    3: "stock",
    4: "cash",
    5: "stock",
    # END
}

# Thread -> the locks that it has, and the line of given.c in which it took each: {"stock": 7}. {} if it has none.
HAS = {
    # BEGIN STARTER
    # 2: None,
    # 3: None,
    # 4: None,
    # 5: None,
    # BEGIN SOLUTION
    2: {"cash": 39},  # refund() has it while it calls write_line()
    3: {},
    4: {"stock": 26},
    5: {"log": 53},  # it has had "cash", and has given it back
    # END
}

# The threads that wait for each other in a ring.
# BEGIN STARTER
# RING = []
# BEGIN SOLUTION
RING = [2, 4, 5]
# END
