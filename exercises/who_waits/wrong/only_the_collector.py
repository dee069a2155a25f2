# Caught by single.
# The bystander has paused for the collector, so it waits as long as the collector does.
# BEGIN 1
ATTACHED = ["collector"]
# END
# BEGIN 5
COMES_BACK = ["collector"]
# END
