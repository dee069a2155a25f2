# Caught by single.
# The first frame is of Python's header, and of the sanitizer: neither is the module's.
# BEGIN 1
READ_BY, READ_AT = "T2", 62
FREED_BY, FREED_AT = "T1", 52
ALLOCATED_BY = "T0"
# END
# BEGIN 4
LAMP_READ_BY, LAMP_READ_AT = "T1", 1032
LAMP_FREED_BY = "not said"
# END
