/* dice.h: rolls of dice. A library in one header.
 *
 * One generator for the whole program. Its period is 2**32: as many rolls
 * of a die with 2**32 sides give as many different numbers.
 *
 * One C file defines DICE_IMPLEMENTATION before it includes this header. It
 * may also define DICE_ON_ROLL(), a statement that each dice_roll() runs.
 */
#ifndef DICE_H
#define DICE_H

#include <stdint.h>

#define DICE_MAX_SIDES 4294967296 /* 2**32 */
#define DICE_TEXT 64 /* bytes of the longest error text, with its final 0 */

/* A number from 0 to sides - 1, or -1: then dice_error() says why. */
int64_t dice_roll(int64_t sides);

/* Why the last dice_roll() failed that did. Valid until the next fails. */
const char *dice_error(void);

#ifdef DICE_IMPLEMENTATION

#include <inttypes.h>
#include <stdio.h>

#ifndef DICE_ON_ROLL
#define DICE_ON_ROLL() ((void)0)
#endif

static uint32_t dice_state = 2463534242u;
static char dice_text[DICE_TEXT];

int64_t
dice_roll(int64_t sides)
{
    if (sides < 1 || sides > DICE_MAX_SIDES) {
        snprintf(dice_text, sizeof(dice_text), "there is no die with %" PRId64 " sides", sides);
        return -1;
    }
    uint32_t before = dice_state;
    DICE_ON_ROLL();
    dice_state = before * 1664525u + 1013904223u;
    return dice_state % sides;
}

const char *
dice_error(void)
{
    return dice_text;
}

#endif
#endif
