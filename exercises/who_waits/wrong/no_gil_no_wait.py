# Caught by single.
# There is no GIL to wait for, and there is still a world to stop.
# BEGIN 1
ATTACHED = []
# END
# BEGIN 5
COMES_BACK = []
# END
