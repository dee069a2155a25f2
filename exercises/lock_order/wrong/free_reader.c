// Caught by race.
// Who looks at an amount does without the lock, and sees it in the middle of a transfer.
// BEGIN 4
    long amount = account->amount;
// END
