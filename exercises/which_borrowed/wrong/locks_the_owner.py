# Caught by single.
# A mutex in self around a dict that others have: they change it without our mutex.
# BEGIN 2
    1: "PyList_GetItemRef",
    2: None,
    3: "our mutex",
    4: None,
    5: None,
    6: "our mutex",
# END
