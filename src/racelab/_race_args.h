/* _race_args.h: arguments of run(), as given; NULL where left out. */
#ifndef RACELAB_RACE_ARGS_H
#define RACELAB_RACE_ARGS_H

#include "_race_run.h"

typedef struct {
    PyObject *setup, *actors, *threads, *rounds, *seconds, *observe, *observe_key, *release;
    PyObject *stride, *batch, *offsets_ns, *bursts, *made_by, *spin_limit_us, *stop_on, *cpus;
    PyObject *tally, *labels;
    int keep_returned;
} rl_given;

/* Fill a zeroed run. -1 with an exception set; rl_run_free() is due in either case. */
int rl_run_prepare(rl_run *run, const rl_given *given);
void rl_run_free(rl_run *run);

/* CPUs this process may run on. */
int rl_cores(void);

#endif
