set trace-commands on
set breakpoint pending on
break cy_counter_broken.pyx:40
run
bt 3
list
info locals
print __pyx_v_self->n
next
