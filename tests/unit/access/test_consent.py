"""Consent as a state machine: whatever happens in whatever order, nothing is signed that was not agreed to."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from cardd.access.actions import Action
from cardd.access.consent import JOB_SECONDS, JOBS_PER_CONNECTION, ConsentBook, JobState, Scope, Use, Wish
from cardd.access.terms import ConsentMode, ConsentTerms
from cardd.errors import Busy, InvalidArgument, NoSuchJob

DOCUMENT = ConsentTerms(ConsentMode.DOCUMENT, 1, 120)
BATCH = ConsentTerms(ConsentMode.BATCH, 3, 600)
SESSION = ConsentTerms(ConsentMode.SESSION, 5, 3600)
SCOPE = Scope(":1.7", 1, Action.SIGN, "signature")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(clock: Clock) -> ConsentBook:
    return ConsentBook(clock)


def wish(
    terms: ConsentTerms = DOCUMENT, digest: bytes = b"a", scope: Scope = SCOPE, batch: frozenset[bytes] = frozenset()
) -> Wish:
    return Wish(scope, digest, terms, batch)


def agreed(book: ConsentBook, to: Wish) -> str:
    number = book.reserve(to.scope.connection)
    book.begin(number, to)
    book.agree(number)
    return number


def test_one_document_once(book: ConsentBook) -> None:
    agreed(book, wish())
    assert book.take(wish(digest=b"b")) is None
    use = book.take(wish())
    assert use is not None
    assert book.take(wish()) is None
    book.finish(use, signed=True)
    assert book.take(wish()) is None


def test_what_the_card_did_not_sign_is_given_back(book: ConsentBook) -> None:
    agreed(book, wish())
    use = book.take(wish())
    assert use is not None
    book.finish(use, signed=False)
    assert book.take(wish(digest=b"b")) is None
    assert book.take(wish()) is not None


def test_a_use_is_finished_once(book: ConsentBook) -> None:
    agreed(book, wish(BATCH))
    use = book.take(wish(BATCH))
    assert use is not None
    book.finish(use, signed=False)
    book.finish(use, signed=False)
    taken = [book.take(wish(BATCH)) for _ in range(5)]
    assert sum(one is not None for one in taken) == 3


@pytest.mark.parametrize("terms", [BATCH, SESSION])
def test_limit_of_uses(book: ConsentBook, terms: ConsentTerms) -> None:
    agreed(book, wish(terms))
    taken = [book.take(wish(terms, bytes([number]))) for number in range(10)]
    assert sum(one is not None for one in taken) == terms.uses


@pytest.mark.parametrize("terms", [DOCUMENT, BATCH, SESSION])
def test_limit_of_time(book: ConsentBook, clock: Clock, terms: ConsentTerms) -> None:
    number = agreed(book, wish(terms))
    clock.now += terms.seconds - 1
    assert book.state(":1.7", number) is JobState.GRANTED
    clock.now += 1
    assert book.take(wish(terms)) is None
    with pytest.raises(NoSuchJob):
        book.state(":1.7", number)


def test_a_listed_batch_is_these_documents_once_each(book: ConsentBook) -> None:
    listed = frozenset({b"a", b"b", b"c"})
    number = agreed(book, wish(BATCH, batch=listed))
    assert book.take(wish(BATCH, b"d"), number) is None
    for digest in sorted(listed):
        assert book.take(wish(BATCH, digest), number) is not None
        assert book.take(wish(BATCH, digest), number) is None


@pytest.mark.parametrize(
    ("terms", "digest", "batch"),
    [(BATCH, b"a", {b"a", b"b"}), (BATCH, b"x", {b"a", b"b", b"c"}), (DOCUMENT, b"a", {b"a"}), (SESSION, b"a", {b"a"})],
)
def test_a_batch_that_is_not_what_it_says(terms: ConsentTerms, digest: bytes, batch: set[bytes]) -> None:
    with pytest.raises(InvalidArgument):
        wish(terms, digest, batch=frozenset(batch))


@pytest.mark.parametrize(
    "scope",
    [
        Scope(":1.8", 1, Action.SIGN, "signature"),
        Scope(":1.7", 2, Action.SIGN, "signature"),
        Scope(":1.7", 1, Action.DECRYPT, "signature"),
        Scope(":1.7", 1, Action.SIGN, "authentication"),
    ],
)
def test_a_consent_is_for_its_scope_alone(book: ConsentBook, scope: Scope) -> None:
    number = agreed(book, wish(SESSION))
    assert book.take(wish(SESSION, scope=scope)) is None
    assert book.take(wish(SESSION, scope=scope), number) is None


def test_a_wide_consent_does_not_serve_what_must_be_asked_narrowly(book: ConsentBook) -> None:
    agreed(book, wish(SESSION))
    assert book.take(wish(DOCUMENT)) is None
    assert book.take(wish(BATCH)) is None
    agreed(book, wish(BATCH))
    assert book.take(wish(SESSION)) is not None


def test_another_connections_number_is_no_number(book: ConsentBook) -> None:
    number = book.reserve(":1.8")
    with pytest.raises(NoSuchJob):
        book.begin(number, wish())
    with pytest.raises(NoSuchJob):
        book.state(":1.7", number)


def test_an_answer_counts_once(book: ConsentBook) -> None:
    number = book.reserve(":1.7")
    for answer in (book.agree, book.deny):
        with pytest.raises(NoSuchJob):
            answer(number)  # nobody is asked yet
    book.begin(number, wish())
    book.deny(number)
    for answer in (book.agree, book.deny):
        with pytest.raises(NoSuchJob):
            answer(number)
    with pytest.raises(NoSuchJob):
        book.begin(number, wish())
    assert book.state(":1.7", number) is JobState.REFUSED


@pytest.mark.parametrize("end", ["forget", "end_session", "lapse"])
def test_an_answer_that_comes_too_late(book: ConsentBook, end: str) -> None:
    number = book.reserve(":1.7")
    book.begin(number, wish())
    {
        "forget": lambda: book.forget(":1.7"),
        "end_session": lambda: book.end_session(1),
        "lapse": lambda: book.lapse(number),
    }[end]()
    with pytest.raises(NoSuchJob):
        book.agree(number)
    assert book.take(wish()) is None


def test_too_many_jobs(book: ConsentBook, clock: Clock) -> None:
    for _ in range(JOBS_PER_CONNECTION):
        number = book.reserve(":1.7")
        book.begin(number, wish())
        book.deny(number)
    with pytest.raises(Busy):
        book.reserve(":1.7")
    book.reserve(":1.8")
    clock.now += JOB_SECONDS
    book.reserve(":1.7")


def test_used_up_consents_are_no_jobs(book: ConsentBook) -> None:
    for _ in range(JOBS_PER_CONNECTION * 3):
        agreed(book, wish())
        use = book.take(wish())
        assert use is not None
        book.finish(use, signed=True)


# The model: what the holder agreed to, and what was signed on it.


@dataclass
class Agreement:
    """What the holder said yes to."""

    wish: Wish
    until: float
    signed: int = 0
    under_way: int = 0
    digests: set[bytes] | None = None
    over: bool = False


@dataclass
class Taken:
    number: str
    use: Use
    finished: bool = False


CONNECTIONS = st.sampled_from([":1.7", ":1.8"])
DIGESTS = st.sampled_from([b"a", b"b", b"c"])


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    terms = draw(st.sampled_from([DOCUMENT, BATCH, SESSION]))
    scope = Scope(draw(CONNECTIONS), draw(st.integers(1, 2)), Action.SIGN, "signature")
    listed = terms is BATCH and draw(st.booleans())
    return Wish(scope, draw(DIGESTS), terms, frozenset({b"a", b"b", b"c"}) if listed else frozenset())


class Consenting(RuleBasedStateMachine):
    """Applications, a holder and time do what they like."""

    numbers = Bundle("numbers")
    uses = Bundle("uses")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.book = ConsentBook(self.clock)
        self.asked: dict[str, Wish] = {}
        self.agreements: dict[str, Agreement] = {}

    @rule(target=numbers, connection=CONNECTIONS)
    def reserve(self, connection: str) -> str:
        try:
            return self.book.reserve(connection)
        except Busy:
            return "none"

    @rule(number=numbers, wanted=wishes())
    def begin(self, number: str, wanted: Wish) -> None:
        try:
            self.book.begin(number, wanted)
        except NoSuchJob:
            return
        assert number not in self.asked, "asked twice about one job"
        self.asked[number] = wanted

    @rule(number=numbers)
    def agree(self, number: str) -> None:
        try:
            self.book.agree(number)
        except NoSuchJob:
            return
        assert number in self.asked
        assert number not in self.agreements, "agreed twice"
        wanted = self.asked[number]
        digests = {wanted.digest} if wanted.terms is DOCUMENT else set(wanted.batch) or None
        self.agreements[number] = Agreement(wanted, self.clock.now + wanted.terms.seconds, digests=digests)

    @rule(number=numbers)
    def deny(self, number: str) -> None:
        try:
            self.book.deny(number)
        except NoSuchJob:
            return
        assert number not in self.agreements, "refused after it was agreed to"

    @rule(number=numbers)
    def lapse(self, number: str) -> None:
        if number in self.asked and number not in self.agreements:
            self.book.lapse(number)

    @rule(target=uses, wanted=wishes(), number=st.one_of(st.none(), numbers))
    def take(self, wanted: Wish, number: str | None) -> Taken | None:
        use = self.book.take(wanted, number)
        if use is None:
            return None
        agreement = self.agreements[use.job]
        assert not agreement.over
        assert agreement.until > self.clock.now, "after its time"
        assert agreement.wish.scope == wanted.scope, "for somebody or something else"
        assert agreement.wish.terms.mode.width <= wanted.terms.mode.width, "wider than the rules allow"
        assert agreement.digests is None or wanted.digest in agreement.digests, "another document"
        assert number in (None, use.job)
        agreement.under_way += 1
        if agreement.digests is not None:
            agreement.digests.remove(wanted.digest)
        return Taken(use.job, use)

    @rule(taken=consumes(uses), signed=st.booleans())
    def finish(self, taken: Taken | None, signed: bool) -> None:
        if taken is None:
            return
        self.book.finish(taken.use, signed=signed)
        agreement = self.agreements[taken.number]
        agreement.under_way -= 1
        agreement.signed += signed
        if not signed and agreement.digests is not None:
            agreement.digests.add(taken.use.digest)

    @rule(seconds=st.sampled_from([1.0, 119.0, 120.0, 600.0, 3600.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(connection=CONNECTIONS)
    def forget(self, connection: str) -> None:
        self.book.forget(connection)
        self._end(lambda one: one.wish.scope.connection == connection)

    @rule(session=st.integers(1, 2))
    def end_session(self, session: int) -> None:
        self.book.end_session(session)
        self._end(lambda one: one.wish.scope.session == session)

    def _end(self, which: object) -> None:
        assert callable(which)
        for agreement in self.agreements.values():
            agreement.over = agreement.over or bool(which(agreement))

    @invariant()
    def never_more_than_was_agreed(self) -> None:
        for agreement in self.agreements.values():
            assert agreement.signed + agreement.under_way <= agreement.wish.terms.uses

    @invariant()
    def few_jobs(self) -> None:
        for connection in (":1.7", ":1.8"):
            held = [job for job in self.book._jobs.values() if job.connection == connection]
            assert len(held) <= JOBS_PER_CONNECTION


Consenting.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestConsenting = Consenting.TestCase
