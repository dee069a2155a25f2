# Caught by single.
# It raises with the lock held: a finalizer that opens a sound would wait for its own thread.
# BEGIN 3
FAILING_READ = ["detach", "lock", "read", "attach", "copy", "raise", "unlock"]
# END
