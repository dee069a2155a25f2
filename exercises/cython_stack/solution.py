"""cython_stack.py: two threads, stopped by gdb in a module of Cython's. What are they doing to each other?

The module is the broken attribute of chapter 13, ext/cy_attribute/cy_attribute_broken.pyx. It was built
without line directives, and this gdb has no cygdb: all that it knows is the C file.

    Thread 2 (Thread 0x7ffff7c7a6c0 (LWP 1002) "python"):
    #0  __pyx_f_19cy_attribute_broken_4Item_is_live (__pyx_v_self=0x233540100f0) at cy_attribute_broken.c:2953
    #1  0x00007ffff7c81171 in __pyx_pf_19cy_attribute_broken_3Box_2look (__pyx_v_self=0x233540300c0) at cy_attribute_broken.c:3346
    #2  0x00007ffff7c81119 in __pyx_pw_19cy_attribute_broken_3Box_3look (__pyx_v_self=0x233540300c0, __pyx_args=0x7ffff74761e0, __pyx_nargs=0, __pyx_kwds=0x0) at cy_attribute_broken.c:3322
    #3  0x00007ffff7c8b54b in __Pyx_CyFunction_Vectorcall_FASTCALL_KEYWORDS (func=0x233507d0a90, args=0x7ffff74761e0, nargsf=9223372036854775809, kwnames=0x0) at cy_attribute_broken.c:8440

    Thread 3 (Thread 0x7ffff74756c0 (LWP 1003) "python"):
    #0  __pyx_pf_19cy_attribute_broken_4Item_2__dealloc__ (__pyx_v_self=0x233540100f0) at cy_attribute_broken.c:2910
    #1  0x00007ffff7c808a2 in __pyx_pw_19cy_attribute_broken_4Item_3__dealloc__ (__pyx_v_self=0x233540100f0) at cy_attribute_broken.c:2895
    #2  0x00007ffff7c81d03 in __pyx_tp_dealloc_19cy_attribute_broken_Item (o=0x233540100f0) at cy_attribute_broken.c:3782
    #3  0x00007ffff7c7fbd1 in Py_DECREF (op=0x233540100f0) at python3.13t/object.h:913
    #4  0x00007ffff7c814dd in __pyx_pf_19cy_attribute_broken_3Box_4renew (__pyx_v_self=0x233540300c0) at cy_attribute_broken.c:3479
    #5  0x00007ffff7c812ed in __pyx_pw_19cy_attribute_broken_3Box_5renew (__pyx_v_self=0x233540300c0, __pyx_args=0x7ffff6c711e0, __pyx_nargs=0, __pyx_kwds=0x0) at cy_attribute_broken.c:3432

What $ grep -n '"cy_attribute_broken.pyx":' cy_attribute_broken.c  prints (each comment stands before its C lines):

    2903:  /* "cy_attribute_broken.pyx":30
    2912:  /* "cy_attribute_broken.pyx":29
    2924:/* "cy_attribute_broken.pyx":32
    2935:  /* "cy_attribute_broken.pyx":33
    2944:  /* "cy_attribute_broken.pyx":34
    2957:  /* "cy_attribute_broken.pyx":32
    3278:/* "cy_attribute_broken.pyx":45
    3339:  /* "cy_attribute_broken.pyx":50
    3348:  /* "cy_attribute_broken.pyx":52
    3388:/* "cy_attribute_broken.pyx":54
    3451:  /* "cy_attribute_broken.pyx":56
    3470:  /* "cy_attribute_broken.pyx":58
    3481:  /* "cy_attribute_broken.pyx":54

__pyx_f_ and __pyx_pf_ are functions that you wrote, __pyx_pw_ is what Python calls for one. The numbers
are lengths of names, and counters.

Goal   Fill in what the stacks say.
Check  racelab check cython_stack        Stuck?  racelab hint cython_stack
"""

# The method that Python has called, by thread, as "Class.method".
# BEGIN STARTER
# CALLED = {2: None, 3: None}
# BEGIN SOLUTION
CALLED = {2: "Box.look", 3: "Box.renew"}
# END

# The lines of the .pyx file in which each thread stands: of its functions that you wrote, innermost first.
# BEGIN STARTER
# LINES = {2: [], 3: []}
# BEGIN SOLUTION
LINES = {2: [34, 50], 3: [30, 58]}
# END

# The addresses of the item and of the box that both threads hold, as text.
# BEGIN STARTER
# ITEM, BOX = None, None
# BEGIN SOLUTION
ITEM, BOX = "0x233540100f0", "0x233540300c0"
# END

# Which thread frees the item? And which one uses it, although it never counted a reference?
# BEGIN STARTER
# FREES, USES = None, None
# BEGIN SOLUTION
FREES, USES = 3, 2
# END

# Next time you want to stop on the line of look() that passes the item on. Which command of gdb sets a
# breakpoint on it, once the C file has line directives? And which one of cygdb, before the program runs?
# BEGIN STARTER
# IN_GDB = "break "
# IN_CYGDB = "cy break "
# BEGIN SOLUTION
IN_GDB = "break cy_attribute_broken.pyx:50"
IN_CYGDB = "cy break cy_attribute_broken:50"
# END
