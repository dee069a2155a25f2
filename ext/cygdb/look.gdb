set trace-commands on
cy break cy_counter_broken:40
cy run
cy print seen
cy globals
cy exec print("value", self.value)
