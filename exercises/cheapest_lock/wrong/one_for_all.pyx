# Caught by single.
# One lock of the module: while one object is smoothed, nobody can push to another one.
# BEGIN 1
cdef cython.pymutex lock
# END
# BEGIN 2
    # the lock is the module's
# END
# BEGIN 3
        with lock:
            self.append(x)
# END
# BEGIN 4
        with lock:
            self.smoothed(times)
# END
# BEGIN 5
        cdef Py_ssize_t i
        with lock:
            numbers = [self.at(i) for i in range(self.size)]
        for x in numbers:
            callback(x)
# END
