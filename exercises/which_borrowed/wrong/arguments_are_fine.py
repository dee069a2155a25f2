# Caught by single.
# An argument is kept by the caller; what is in it is not.
# BEGIN 1
    1: "the caller",
    2: "the caller",
    3: "nobody",
    4: "we alone",
    5: "the module",
    6: "nobody",
# END
# BEGIN 2
    1: None,
    2: None,
    3: "PyDict_GetItemRef",
    4: None,
    5: None,
    6: "our mutex",
# END
