# Caught by race.
# each() only reads, so it takes no lock: smooth() frees the array under it.
# BEGIN 5
        cdef Py_ssize_t i
        for x in [self.at(i) for i in range(self.size)]:
            callback(x)
# END
