# Caught by cost.
# Right, and dear: a lock that its owner may take again is an object, with two calls for each push.
# BEGIN 1
from threading import RLock
# END
# BEGIN 2
    cdef object lock

    def __cinit__(self):
        self.lock = RLock()
# END
# BEGIN 5
        cdef Py_ssize_t i, n
        with self.lock:
            n = self.size
            for i in range(n):
                callback(self.at(i))
# END
