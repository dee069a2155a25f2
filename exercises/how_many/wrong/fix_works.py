# Caught by single.
# Two silent runs say nothing about each other: the fix may have mended nothing.
# BEGIN 4
AT_LEAST_TIMES = float("inf")
# END
