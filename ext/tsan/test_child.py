"""A test that hands its work to a child process, and waits for the answer as if nothing could happen to the child."""

import multiprocessing

from visit import two_visitors


def work(answers):
    two_visitors()
    answers.put("done")


def test_child():
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=work, args=[answers])
    child.start()
    assert answers.get() == "done"  # without a limit
    child.join()
