# Caught by single.
# No cache at all: no race either, and the expensive work is done on every call.
# BEGIN 3
    return build_table(1000)[n]
# END
