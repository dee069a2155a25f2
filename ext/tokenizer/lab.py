"""Tokenizer: a library that keeps its state in a struct, and two threads with one struct.

Question  Can two threads that read words from one text get the same word?
Run       racelab race tokenizer --threads 2
"""

from racelab import ACCEPTABLE, FORBIDDEN, Lab

TEXT = b"pack my box with five dozen liquor jugs"
WORDS = TEXT.split()


def text_to_share(module):
    """A fresh tokenizer: every thread takes one word from it."""
    return module.Tokenizer(TEXT)


def words_taken(_tokenizer, returned, threads):
    """What the threads were given, all together."""
    if set(returned) == set(WORDS[:threads]):
        return "a word each"
    return "a word twice" if set(returned) <= set(WORDS) else "no word of the text"


lab = Lab(
    "tokenizer",
    question="Can two threads that read words from one text get the same word?",
    sources=["tokenizer_{variant}.c"],
    setup=text_to_share,
    actors=["next", "next"],
    threads=[2, 3, 4, 8],
    observe=words_taken,
    observe_key=(),
    outcomes={
        "a word each": ACCEPTABLE("the first words of the text, each of them once"),
        "a word twice": FORBIDDEN("both read from the same place"),
        "no word of the text": FORBIDDEN("the place moved under whoever measured a word"),
        "error(*)": FORBIDDEN("the length of a word was negative or enormous"),
        "crash(*)": FORBIDDEN("the end of the text was missed"),
    },
)
