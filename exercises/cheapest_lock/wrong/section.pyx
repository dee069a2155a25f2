# Caught by race.
# A critical section is suspended while smooth() is detached, and lets the others in.
# BEGIN 2
    # no field: the lock is in the object
# END
# BEGIN 3
        with cython.critical_section(self):
            self.append(x)
# END
# BEGIN 4
        with cython.critical_section(self):
            self.smoothed(times)
# END
# BEGIN 5
        cdef Py_ssize_t i
        with cython.critical_section(self):
            numbers = [self.at(i) for i in range(self.size)]
        for x in numbers:
            callback(x)
# END
