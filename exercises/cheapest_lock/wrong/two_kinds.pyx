# Caught by race.
# Each method has the lock that would do for it alone: who holds the one is not kept out by the other.
# BEGIN 3
        with cython.critical_section(self):
            self.append(x)
# END
