# Caught by single.
# These are lines of the C file.
# BEGIN 2
LINES = {2: [2953, 3346], 3: [2910, 3479]}
# END
