# Makes two calls of bump() meet in the window: a lost update, every time.
break lost_update_broken.c:31
run
# One of the threads 2 and 3 stands before its store.
print seen
# From here on only the selected thread runs: let it be the other.
set scheduler-locking on
eval "thread %d", 5 - $_thread
continue
print seen
# Both have seen the same. Let everybody go on.
set scheduler-locking off
delete
continue
