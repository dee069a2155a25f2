set trace-commands on
cy break cy_counter_broken.Counter.add_one
cy run
cy bt
cy next
cy next
cy list
cy locals
py-bt
