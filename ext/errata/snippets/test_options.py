import os


def test_options_arrive():
    print("a line from inside the test")
    assert os.environ["TSAN_OPTIONS"]
