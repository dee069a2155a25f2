# Caught by single.
# Python has called neither of these: one is a cdef method, the other one runs when the last reference is dropped.
# BEGIN 1
CALLED = {2: "Item.is_live", 3: "Item.__dealloc__"}
# END
