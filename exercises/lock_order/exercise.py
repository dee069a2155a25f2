"""Accounts and a journal: three circles of locks, one of them only at night.

An audit() that reads `newest` without the journal's lock gets through the race: the pointer is read whole, and what
hangs on it is complete. Only ThreadSanitizer tells of it. Who reads an amount without the account's lock is caught by the race.
"""

import random

from racelab import ACCEPTABLE, FORBIDDEN, Lab
from racelab.exercise import Exercise

BEGIN = 100
#: What is paid at a time: there is always enough for it.
AMOUNT = 7
#: Calls of one thread in a round.
TURNS = 4
#: What a round is called where several things went wrong: the cause before what follows from it.
GRAVEST = (
    "a transfer refused that was covered",
    "a false alarm",
    "money lost or made",
    "an entry lost",
)


def single(module):
    """Transfers that are covered and some that are not, audits, and an account that pays itself."""
    for _ in range(5):
        journal = module.Journal()
        amounts = [random.randrange(200) for _ in range(3)]
        accounts = [module.Account(amount) for amount in amounts]
        entries = 0
        for _ in range(20):
            source, target = random.sample(range(3), 2)
            amount = random.randrange(200)
            covered = amounts[source] >= amount
            said = journal.transfer(accounts[source], accounts[target], amount)
            assert said is covered, (
                f"a transfer of {amount} from {amounts[source]} must return {covered}, not {said}"
            )
            if covered:
                amounts[source] -= amount
                amounts[target] += amount
                entries += 1
            seen = [account.amount for account in accounts]
            assert seen == amounts, f"the amounts must be {amounts}, and are {seen}"
        assert len(journal) == entries, (
            f"{entries} transfers were covered, and the journal has {len(journal)} entries"
        )
        assert journal.audit() == 0, f"no account is overdrawn, and audit() is {journal.audit()}"
    account = module.Account(BEGIN)
    journal, amount = module.Journal(), random.randrange(1, BEGIN)
    # Where this waits for ever the checker says so, and names the line.
    journal.transfer(account, account, amount)
    assert account.amount == BEGIN, (
        f"a transfer from an account to itself moves nothing: {BEGIN} became {account.amount}"
    )


class Bank:
    """Two who pay and audit: back and forth, from one account, or each with accounts of his own."""

    def __init__(self, module):
        self.a, self.b, c, d = self.accounts = [module.Account(BEGIN) for _ in range(4)]
        self.other = random.choice(((self.b, self.a), (self.b, self.a), (self.a, self.b), (c, d)))
        self.journals = [module.Journal()] * 2
        if random.random() < 0.25:
            self.journals[1] = module.Journal()

    def _work(self, journal, source, target):
        """Pays, audits, and tries to pay too much: what went wrong, if anything."""
        transfer, audit = journal.transfer, journal.audit
        wrong = set()
        for _ in range(TURNS):
            if not transfer(source, target, AMOUNT):
                wrong.add("a transfer refused that was covered")
            if audit():
                wrong.add("a false alarm")
            if transfer(source, target, 3 * BEGIN):
                wrong.add("money lost or made")
        return wrong

    def pay(self):
        return self._work(self.journals[0], self.a, self.b)

    def pay_too(self):
        return self._work(self.journals[1], *self.other)


def what_became_of_it(bank, returned, _threads):
    """As much paid as was agreed upon, and all of it in the journals."""
    wrong = set().union(*returned)
    for account in bank.accounts:
        sent = [account is bank.a, account is bank.other[0]].count(True)
        got = [account is bank.b, account is bank.other[1]].count(True)
        if account.amount != BEGIN + (got - sent) * TURNS * AMOUNT:
            wrong.add("money lost or made")
    if sum(map(len, set(bank.journals))) != 2 * TURNS:
        wrong.add("an entry lost")
    return min(wrong, key=GRAVEST.index, default="all in order")


exercise = Exercise(
    "lock_order",
    title="Take locks in one order",
    chapter="12_critical_section",
    level="hard",
    minutes=20,
    goal="transfer() and audit() come to an end, whoever calls them, with whichever accounts. No money is lost, no transfer refused that is covered, and audit() gives no false alarm.",
    hints=(
        "Draw a dot for each lock, and an arrow from each lock that a function holds to each that it takes meanwhile. There are three circles, one of them with a single dot.",
        "from -> to and to -> from: both need one order that does not depend on who calls. It must not change, either: an address does not, an amount does.",
        "from -> from: what if both are the same account? A PyMutex cannot be locked twice.",
        "account -> journal in transfer(), journal -> account in audit(). Make the journal's lock the innermost one: who has it takes no other.",
        "Entries never change once they are in the journal. So audit() needs the journal's lock only for finding the newest one; then it unlocks and walks.",
    ),
    lab=Lab(
        "lock_order",
        question="Do transfers and audits come to an end, and is the money there?",
        modules=["lock_order"],
        setup=Bank,
        actors=["pay", "pay_too"],
        observe=what_became_of_it,
        outcomes={
            "all in order": ACCEPTABLE("one after the other"),
            "hang": FORBIDDEN("each waits for a lock that the other one has"),
            "money lost or made": FORBIDDEN("two threads changed one account at the same time"),
            "a transfer refused that was covered": FORBIDDEN("there was enough in the account"),
            "a false alarm": FORBIDDEN("audit() saw an amount that a transfer was not done with"),
            "an entry lost": FORBIDDEN("two threads changed the journal at the same time"),
            "crash(*)": FORBIDDEN("something was used after it was freed"),
            "error(*)": FORBIDDEN("an exception that no caller expects"),
        },
        stall_s=0.3,
    ),
    single=single,
    advice={
        "hang": "There is still a circle. Write down for each function which locks it holds when it takes the next one; transfer() calls record(), and audit() calls amount_of().",
        "money lost or made": "An account was changed by a thread that did not have its lock, or had it no more. A nested critical section gives up the outer one while it waits.",
        "a transfer refused that was covered": "A lock that is taken is no answer: wait for it, in an order in which waiting is safe.",
        "a false alarm": "Between taking and putting back an amount may be below 0: who looks at it has to wait for its lock.",
        "an entry lost": "The newest entry is read and replaced: that is one step only under the journal's lock.",
        "crash(*)": "Who keeps an entry, and its accounts, while audit() looks at them?",
        "error(*)": "transfer() and audit() raise nothing of their own: what did you add?",
    },
)
