# Caught by single.
# Without the GIL an attached thread holds nothing: somebody must stop the world for others to notice it.
# BEGIN 3
NOBODY_COLLECTS = ["bystander"]
# END
