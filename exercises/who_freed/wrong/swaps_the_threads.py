# Caught by single.
# Who freed is under "freed by", and who used it afterwards at the top.
# BEGIN 1
READ_BY, READ_AT = "T1", 62
FREED_BY, FREED_AT = "T2", 27
ALLOCATED_BY = "T0"
# END
