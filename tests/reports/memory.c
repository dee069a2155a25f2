/* Makes AddressSanitizer report: ./memory u, o, g, n, d, h. See tests/test_reports.py. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>


int four[4];
int *volatile nowhere;

/* Functions of their own, so that a stack has two lines of this file. */
__attribute__((noinline)) static void
drop(int *items)
{
    free(items);
}

__attribute__((noinline)) static int
look(const int *items, int at)
{
    return items[at];
}
static void *
work(void *items)
{
    drop(items);
    return NULL;
}
int
main(int argc, char **argv)
{
    char what = argc > 1 ? argv[1][0] : 'u';
    int *items = malloc(4 * sizeof *items);
    pthread_t thread;

    switch (what) {
    case 'u': /* used after another thread has freed it */
        pthread_create(&thread, NULL, work, items);
        pthread_join(thread, NULL);
        return look(items, 0);
    case 'o': /* beyond the end of a block */
        return look(items, argc + 2);
    case 'g': /* beyond the end of a global */
        return look(four, argc + 2);
    case 'n': /* no memory at all */
        return look(nowhere, 0);
    case 'd': /* freed twice */
        drop(items);
        drop(items);
        return 0;
    }
    /*
     * What follows is on line 65, as in
     * the reports of other compilers
     * beside this file: their label
     * holds the line.
     *
     *
     *
     *
     *
     *
     * A size that no machine has:
     */
    items = malloc(SIZE_MAX / 16);
    printf("%p\n", (void *)items);
    return 0;
}
