# Caught by single.
# The text is copied after the unlock: by then it may be another thread's.
# BEGIN 3
FAILING_READ = ["lock", "detach", "read", "attach", "unlock", "copy", "raise"]
# END
