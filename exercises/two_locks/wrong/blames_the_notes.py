# Caught by single.
# The notes are counted under their own lock. It is the coins in the line below.
# BEGIN 3
MEMBER, NOT_COVERED = "notes", 40
# END
