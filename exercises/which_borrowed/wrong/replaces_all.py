# Caught by single.
# It replaces every call that borrows; two of them borrow from somebody who cannot let go.
# BEGIN 2
    1: "PyList_GetItemRef",
    2: "Py_NewRef",
    3: "PyDict_GetItemRef",
    4: "PyList_GetItemRef",
    5: None,
    6: "our mutex",
# END
