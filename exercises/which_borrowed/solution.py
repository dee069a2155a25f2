"""which_borrowed.py: six uses of borrowed references. Other threads may have the same self, list and dict.

    1   METH_O; `names` is a list that came from Python
            PyObject *name = PyList_GetItem(names, 0);
            return PyUnicode_FromFormat("Dear %U,", name);
    2   METH_VARARGS; `args` is the argument tuple
            PyObject *path = PyTuple_GET_ITEM(args, 0);
            return open_file(path);
    3   PyObject *found = PyDict_GetItemWithError(self->cache, key);
        if (found != NULL) return Py_NewRef(found);
    4   PyObject *parts = PyUnicode_Split(text, NULL, -1);
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(parts); i++)
            use(PyList_GET_ITEM(parts, i));                     `use` shows nobody the list
    5   `state->error` was made in Py_mod_exec and is never set again
            PyErr_SetString(state->error, "no such file");
    6   `set_callback` replaces the field, under a mutex in self
            return PyObject_CallNoArgs(self->callback);

Goal   Fill in, for each of them, who keeps the object, and what must change where nobody does.
Check  racelab check which_borrowed        Stuck?  racelab hint which_borrowed
"""

# "the caller", "we alone", "the module"; or "nobody", for as long as we need it
KEPT_BY = {
    # BEGIN STARTER
    # 1: "the caller",
    # 2: "the caller",
    # 3: "we alone",
    # 4: None,
    # 5: None,
    # 6: None,
    # BEGIN SOLUTION
    1: "nobody",  # the caller keeps the list, not what is in it
    2: "the caller",  # and a tuple does not let go of its items
    3: "nobody",
    4: "we alone",  # nobody else can find a list that was just made
    5: "the module",
    6: "nobody",  # a field is a container, too
    # END
}

# None where nothing must change, else the least that helps:
# "PyList_GetItemRef", "PyDict_GetItemRef": in place of the call
# "Py_NewRef": a Py_NewRef right after the object was found
# "critical section": one on the list or dict, Py_NewRef inside it
# "our mutex": the one in self, Py_NewRef inside it
REPAIR = {
    # BEGIN STARTER
    # 1: "Py_NewRef",
    # 2: "Py_NewRef",
    # 3: None,
    # 4: None,
    # 5: None,
    # 6: None,
    # BEGIN SOLUTION
    1: "PyList_GetItemRef",
    2: None,
    3: "PyDict_GetItemRef",
    4: None,
    5: None,
    6: "our mutex",
    # END
}
