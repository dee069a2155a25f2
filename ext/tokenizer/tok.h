/* tok.h: words of a text, one at a time. A library in one header.
 *
 * All state is in a `struct tok` that the caller owns and passes to every
 * function. Any number of texts can be read at the same time, each with a
 * struct of its own. Calls with the same struct must not overlap.
 *
 * One C file defines TOK_IMPLEMENTATION before it includes this header. It
 * may also define TOK_ON_WORD(), a statement that each tok_next() runs.
 */
#ifndef TOK_H
#define TOK_H

#include <stddef.h>

struct tok {
    const char *at; /* what is read next */
    size_t left;    /* bytes from there to the end of the text */
};

/* Start with the first of `size` bytes. They must stay as they are. */
void tok_init(struct tok *t, const char *text, size_t size);

/* The next word: where in the text, and how long. 0 at its end, else 1. */
int tok_next(struct tok *t, const char **word, size_t *length);

#ifdef TOK_IMPLEMENTATION

#ifndef TOK_ON_WORD
#define TOK_ON_WORD() ((void)0)
#endif

void
tok_init(struct tok *t, const char *text, size_t size)
{
    t->at = text;
    t->left = size;
}

int
tok_next(struct tok *t, const char **word, size_t *length)
{
    while (t->left > 0 && *t->at == ' ') {
        t->at++;
        t->left--;
    }
    if (t->left == 0) {
        return 0;
    }
    *word = t->at;
    TOK_ON_WORD();
    while (t->left > 0 && *t->at != ' ') {
        t->at++;
        t->left--;
    }
    *length = (size_t)(t->at - *word);
    return 1;
}

#endif
#endif
