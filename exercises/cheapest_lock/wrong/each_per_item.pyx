# Caught by single.
# A lock for each number: between two calls of the callback smooth() comes, and the numbers are of two moments.
# BEGIN 5
        cdef Py_ssize_t i, n
        cdef double x
        with self.lock:
            n = self.size
        for i in range(n):
            with self.lock:
                x = self.at(i)
            callback(x)
# END
