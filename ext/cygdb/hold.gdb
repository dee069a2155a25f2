set trace-commands on
cy break cy_counter_broken:40
cy run
set scheduler-locking on
thread 3
continue
thread apply 2 3 cy locals
delete
set scheduler-locking off
continue
