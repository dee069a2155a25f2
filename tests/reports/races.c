/* Makes ThreadSanitizer report: ./races r (a race), l (lock order), s (a bad address). See tests/test_reports.py. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* What is not kept by one lock. */
static long total;
static pthread_mutex_t locks[2];

/* A function of its own, so that a stack has two lines of this file. */
__attribute__((noinline)) static void
add_one(void)
{
    total += 1;
}
static void *
bump(void *lock) /* each thread has another lock */
{
    pthread_mutex_lock(lock);
    add_one();
    pthread_mutex_unlock(lock);
    return NULL;
}
static void *
forward(void *arg)
{
    pthread_mutex_lock(&locks[0]);
    pthread_mutex_lock(&locks[1]);
    pthread_mutex_unlock(&locks[1]);
    pthread_mutex_unlock(&locks[0]);
    return arg;
}
static void *
backward(void *arg)
{
    pthread_mutex_lock(&locks[1]);
    pthread_mutex_lock(&locks[0]);
    pthread_mutex_unlock(&locks[0]);
    pthread_mutex_unlock(&locks[1]);
    return arg;
}

/* Both at once. */
static void
both(void *(*one)(void *), void *(*other)(void *))
{
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, one, &locks[0]);
    pthread_create(&threads[1], NULL, other, &locks[1]);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* One after the other: the order of the locks is wrong all the same. */
static void
after(void *(*one)(void *), void *(*other)(void *))
{
    pthread_t thread;
    pthread_create(&thread, NULL, one, NULL);
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, other, NULL);
    pthread_join(thread, NULL);
}


/* Volatile: no compiler may know what it is. */
static int *volatile nowhere;

int
main(int argc, char **argv)
{
    char what = argc > 1 ? argv[1][0] : 'r';

    pthread_mutex_init(&locks[0], NULL);
    pthread_mutex_init(&locks[1], NULL);

    switch (what) {
    case 'r':
        both(bump, bump);
        break;
    case 'l':
        after(forward, backward);
        break;
    case 's':
        /* What follows is on line 98, as in
         * the reports of other compilers
         * beside this file: their label
         * holds the line.
         *
         *
         *
         *
         *
         *
         *
         */
        printf("%d\n", *nowhere);
        break;
    }
    puts("end");
    return EXIT_SUCCESS;
}
