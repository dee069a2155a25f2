// Caught by race.
// One critical section inside of the other: who waits for the inner one gives up the outer one.
// BEGIN 2
    Py_BEGIN_CRITICAL_SECTION(from);
    rest = from->amount - entry->amount;
    RACE_POINT();
    Py_BEGIN_CRITICAL_SECTION(to);
// END
// BEGIN 3
    Py_END_CRITICAL_SECTION();
    Py_END_CRITICAL_SECTION();
// END
// BEGIN 4
    long amount;
    Py_BEGIN_CRITICAL_SECTION(account);
    amount = account->amount;
    Py_END_CRITICAL_SECTION();
// END
