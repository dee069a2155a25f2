# Caught by single.
# A field of ours that another thread may replace keeps nothing for longer than until then.
# BEGIN 1
    1: "nobody",
    2: "the caller",
    3: "nobody",
    4: "we alone",
    5: "the module",
    6: "we alone",
# END
# BEGIN 2
    1: "PyList_GetItemRef",
    2: None,
    3: "PyDict_GetItemRef",
    4: None,
    5: None,
    6: None,
# END
