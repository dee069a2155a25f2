# At the last breakpoint that was set: say nothing, and go on.
commands
silent
continue
end
run
