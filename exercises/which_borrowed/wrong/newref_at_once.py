# Caught by single.
# A Py_NewRef right after the borrowing call comes too late: another thread may free the object in between.
# BEGIN 2
    1: "Py_NewRef",
    2: None,
    3: "Py_NewRef",
    4: None,
    5: None,
    6: "Py_NewRef",
# END
