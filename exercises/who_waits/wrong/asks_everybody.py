# Caught by single.
# Who is detached, or unknown, has no object in its hands: nobody asks it, nobody waits for it.
# BEGIN 2
DETACHED = ["collector", "bystander"]
# END
# BEGIN 6
FOREIGN = ["collector", "bystander"]
# END
