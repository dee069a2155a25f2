# Caught by single.
# The summary names count_up(), which both call: it is not where the two differ.
# BEGIN 1
PUTS, PUT_AT = "T2", 18
CHANGES, CHANGE_AT = "T1", 18
# END
