# Caught by single.
# A first call comes once in a process; the other 499 repeats could not fail.
# BEGIN 2
A_CHANCES = 500
# END
