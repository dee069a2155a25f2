"""who_freed.py: three reports, written by two interpreters about two modules. What do they say, and what not?

The first module keeps a log in memory of malloc(); its source is exercises/who_freed/given.c.

Report 1: AddressSanitizer, one thread calls add(), another one last()

    ==1001==ERROR: AddressSanitizer: heap-use-after-free on address 0x6020000001d0
    READ of size 8 at 0x6020000001d0 thread T2
        #0 0x7f9cb99570b8 in log_last given.c:62
        #1 0x55d4d46fb25b in method_vectorcall_NOARGS Objects/descrobject.c:447
    0x6020000001d0 is located 0 bytes inside of 16-byte region [0x6020000001d0,0x6020000001e0)
    freed by thread T1 here:
        #0 0x7f9cba4b76a8 in __interceptor_free ../../../../src/libsanitizer/asan/asan_malloc_linux.cpp:52
        #1 0x7f9cb9956c2b in grow given.c:27
        #2 0x7f9cb9956c2b in log_add given.c:40
        #3 0x55d4d46fb25b in method_vectorcall_NOARGS Objects/descrobject.c:447
    previously allocated by thread T0 here:
        #0 0x7f9cba4b89cf in __interceptor_malloc ../../../../src/libsanitizer/asan/asan_malloc_linux.cpp:69
        #1 0x7f9cb9956b62 in grow given.c:20
        #2 0x7f9cb9956b62 in log_add given.c:40
        #3 0x55d4d46fb25b in method_vectorcall_NOARGS Objects/descrobject.c:447
    SUMMARY: AddressSanitizer: heap-use-after-free given.c:62 in log_last

Report 2: AddressSanitizer, another module; one thread looks at a lamp, another one drops it

    ==1001==ERROR: AddressSanitizer: use-after-poison on address 0x7fb1ee01015c
    READ of size 4 at 0x7fb1ee01015c thread T1
        #0 0x7fb22d1e3f00 in Py_XINCREF /usr/include/python3.13td/object.h:1032
        #1 0x7fb22d1e3f00 in take_lamp borrowed_weakref_broken.c:43
        #2 0x7fb22d1e3f00 in room_look borrowed_weakref_broken.c:51
        #3 0x560f224fb25b in method_vectorcall_NOARGS Objects/descrobject.c:447
    Address 0x7fb1ee01015c is a wild pointer inside of access range of size 0x000000000004.
    SUMMARY: AddressSanitizer: use-after-poison /usr/include/python3.13td/object.h:1032 in Py_XINCREF

Report 3: a debug interpreter, a third module

    /usr/include/python3.13td/object.h:1042: _Py_NegativeRefcount: Assertion failed: object has negative ref count
    <object at 0x7ff1660115a0 is freed>
    Fatal Python error: _PyObject_AssertFailed: _PyObject_AssertFailed

Goal   Fill in what the reports say: threads as "T0", lines as numbers. Where a report does not say it,
       write "not said". TOO_EARLY is the one that no report says: read the source.
Check  racelab check who_freed        Stuck?  racelab hint who_freed
"""

# Report 1. Who read, on which line; who freed, on which line; and who had allocated?
# BEGIN STARTER
# READ_BY, READ_AT = None, None
# FREED_BY, FREED_AT = None, None
# ALLOCATED_BY = None
# BEGIN SOLUTION
READ_BY, READ_AT = "T2", 62
FREED_BY, FREED_AT = "T1", 27
ALLOCATED_BY = "T0"
# END

# How many numbers did the block have room for? (A long has 8 bytes.) And for how many has the one
# that took its place?
# BEGIN STARTER
# ROOM, NEW_ROOM = None, None
# BEGIN SOLUTION
ROOM, NEW_ROOM = 2, 4
# END

# add() and last() both take the lock. All the same, one line of given.c does its work too early.
# Which one would you move down?
# BEGIN STARTER
# TOO_EARLY = None
# BEGIN SOLUTION
TOO_EARLY = 57
# END

# Report 2. Who read, on which line of the module; and who had freed it?
# BEGIN STARTER
# LAMP_READ_BY, LAMP_READ_AT = None, None
# LAMP_FREED_BY = None
# BEGIN SOLUTION
LAMP_READ_BY, LAMP_READ_AT = "T1", 43
LAMP_FREED_BY = "not said"
# END

# Report 3. Which line of the module gave back a reference that it had not?
# BEGIN STARTER
# GAVE_BACK_AT = None
# BEGIN SOLUTION
GAVE_BACK_AT = "not said"
# END
