// Caught by gil.
// The repair without the promise: the interpreter cannot know, and turns the GIL on.
// BEGIN 3
    /* nothing is said about the GIL here */
// END
