"""One thread: three calls."""

from cy_counter_broken import Counter

counter = Counter()
for _ in range(3):
    counter.bump()
print("three calls, value", counter.value)
