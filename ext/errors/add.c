/* add.c: two threads add to one number. BROKEN ON PURPOSE: for the exit status that ThreadSanitizer gives a program. */
#include <pthread.h>
#include <stdio.h>

static int number;

static void *
add(void *ignored)
{
    (void)ignored;
    number++;
    return NULL;
}

int
main(void)
{
    pthread_t one, other;
    if (pthread_create(&one, NULL, add, NULL) || pthread_create(&other, NULL, add, NULL)) {
        return 1;
    }
    pthread_join(one, NULL);
    pthread_join(other, NULL);
    puts("all tests passed");
    return 0;
}
