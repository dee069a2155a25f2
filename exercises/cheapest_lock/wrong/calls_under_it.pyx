# Caught by single.
# The callback pushes, and waits for the pymutex that its own thread holds.
# BEGIN 5
        cdef Py_ssize_t i, n
        with self.lock:
            n = self.size
            for i in range(n):
                callback(self.at(i))
# END
