"""two_locks.py: a report of ThreadSanitizer about a purse. Every call takes a lock, and still there is a race.

The source is exercises/two_locks/given.c. The report is shortened: frames of the interpreter and folders are left out.

    WARNING: ThreadSanitizer: data race (pid=1001)
      Write of size 8 at 0x7f9fb21371c0 by thread T2 (mutexes: write M0):
        #0 count_up given.c:18:11 (given.so+0x1405)
        #1 purse_put given.c:29:5 (given.so+0x1405)

      Previous write of size 8 at 0x7f9fb21371c0 by thread T1 (mutexes: write M1):
        #0 count_up given.c:18:11 (given.so+0x1480)
        #1 purse_change given.c:41:5 (given.so+0x1480)

      Mutex M0 (0x7f9ff5504208) created at:
        #0 pthread_mutex_lock <null> (python3.13t+0xe17ae)
        #1 purse_put given.c:28:5 (given.so+0x13f8)

      Mutex M1 (0x7f9ff5504230) created at:
        #0 pthread_mutex_lock <null> (python3.13t+0xe17ae)
        #1 purse_change given.c:39:5 (given.so+0x1465)

      Thread T2 (tid=1003, running) created by main thread at:
        #0 pthread_create <null> (python3.13t+0xdfaa1)

      Thread T1 (tid=1002, running) created by main thread at:
        #0 pthread_create <null> (python3.13t+0xdfaa1)

    SUMMARY: ThreadSanitizer: data race given.c:18:11 in count_up

Goal   Fill in what the report and the source say: threads as "T0", lines as numbers, locks and members by
       their names in given.c.
Check  racelab check two_locks        Stuck?  racelab hint two_locks
"""

# Which thread puts, which one changes; and on which line of given.c does each call what races?
# BEGIN STARTER
# PUTS, PUT_AT = None, None
# CHANGES, CHANGE_AT = None, None
# BEGIN SOLUTION
PUTS, PUT_AT = "T2", 29
CHANGES, CHANGE_AT = "T1", 41
# END

# Which lock of given.c does each of them hold there?
# BEGIN STARTER
# PUT_HOLDS, CHANGE_HOLDS = None, None
# BEGIN SOLUTION
PUT_HOLDS, CHANGE_HOLDS = "coins_lock", "notes_lock"
# END

# Which member of the purse is it about, and which line changes it without the lock that it has elsewhere?
# BEGIN STARTER
# MEMBER, NOT_COVERED = None, None
# BEGIN SOLUTION
MEMBER, NOT_COVERED = "coins", 41
# END

# Which of these lines of a suppressions file would hide this report?
#   "race:purse"  "race:^purse_put$"  "race_top:purse"  "race_top:count_up"  "race:take_out"
# BEGIN STARTER
# HIDE = []
# BEGIN SOLUTION
HIDE = ["race:purse", "race:^purse_put$", "race_top:count_up"]
# END
