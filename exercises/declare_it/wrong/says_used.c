// Caught by gil.
// The slot is there and says the opposite: GIL_USED asks for the GIL, as silence does.
// BEGIN 3
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
// END
