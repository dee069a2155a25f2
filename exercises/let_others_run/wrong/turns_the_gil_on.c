// Caught by gil.
// Without the promise the module turns the GIL on: now everybody waits for everybody.
// BEGIN 2
    /* nothing is said about the GIL */
// END
