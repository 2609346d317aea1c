"""Where a provider is asked about tokens: one question for each token, however many requests wait for it.

A question belongs to no request: who waits does so on a ticket, whose deadline holds whatever the question
is stuck in. It runs on one of some daemon threads; or, where a connection is open, so that all that it does
can be cut short, on the thread that asks first, which saves it two waits for another thread. `EndpointState`
says when to leave the provider alone. This module does not read answers, judge tokens or remember them.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bearerguard._flows.effects import Answered, FetchFailed, KeySource, QuestionFailed, Unanswered
from bearerguard._flows.introspection_client import IntrospectionClient
from bearerguard._io.asking_threads import Asker, Watch
from bearerguard._io.drive import run_question
from bearerguard._io.endpoint_state import EndpointState
from bearerguard._io.http import NotConnected
from bearerguard._io.question import Question
from bearerguard._io.single_flight import import_backends
from bearerguard._io.spare_sessions import SpareSessions
from bearerguard._io.trouble import Trouble
from bearerguard._io.watched import Watched
from bearerguard._limits import IDLE_CONNECTION, MAX_QUESTIONS, RETRY_AFTER_TROUBLE
from bearerguard.provider import Provider

if TYPE_CHECKING:
    from bearerguard._io.http import HttpClient, Session
    from bearerguard._io.metadata import MetadataSource
    from bearerguard._io.shared_answers import SharedAnswers


class IntrospectionSource:
    """What asks one provider, for one server. Safe to share by threads and event loops.

    Args:
        provider: one with introspection.
        keys: where its keys are, for signed answers.
        client: what sends.
        metadata: those of its issuer, where the endpoint is discovered.
        clock: seconds since 1970.
        idle: seconds after which a thread that has nothing to ask ends, and a connection.
        shared: what the processes of a fleet tell each other of answers; None where nobody shares them.
    """

    def __init__(
        self,
        provider: Provider,
        keys: KeySource,
        *,
        client: HttpClient,
        metadata: MetadataSource | None,
        clock: Callable[[], float],
        idle: float = IDLE_CONNECTION,
        shared: SharedAnswers | None = None,
    ) -> None:
        self.clock = clock
        self._name = provider.name
        self._client = client
        self._metadata = metadata
        self._asking = IntrospectionClient(provider, keys, clock, _new_id)
        self._seconds = client.timeout
        self._idle_seconds = idle
        self._shared = shared
        self._lock = threading.Lock()
        self._questions: dict[bytes, Question] = {}
        self._pending: deque[Question] = deque()
        self._idle: list[Asker] = []
        self._askers: set[Asker] = set()
        self._spare = SpareSessions(idle)
        self._here = 0
        self._watch: Watch | None = None
        introspection = provider.introspection
        # Whatever else may be asked for on the way has no deadline that holds here.
        self._may_be_here = not (
            shared is not None
            or client.runs_foreign_code
            or introspection is None
            or introspection.signed
            or callable(introspection.token)
        )
        self._state = EndpointState()
        self._probe: Question | None = None
        self._trouble = Trouble(provider.name)
        self._is_closed = False
        self.tell: Callable[[float, str | None], None] | None = None
        import_backends()
        _living.add(self)

    # -- asked by the pipeline -----------------------------------------------------------------------

    def ask(self, token: bytes, digest: bytes) -> Answered | Unanswered:
        """Return what the provider says of a token; block the thread meanwhile.

        Args:
            token: its text.
            digest: the SHA-256 of it.
        """
        question, session = self._join(token, digest, may_be_here=self._may_be_here)
        if isinstance(question, Unanswered):
            return question
        if session is not None and self._is_carried_out_here(question, session):
            return question.outcome
        return self._outcome_of(question, question.ticket.wait())

    async def ask_async(self, token: bytes, digest: bytes) -> Answered | Unanswered:
        """The same for a task of any event loop. One that is cancelled ends nothing."""
        question, _ = self._join(token, digest)
        if isinstance(question, Unanswered):
            return question
        return self._outcome_of(question, await question.ticket.wait_async())

    def _outcome_of(self, question: Question, is_over: bool) -> Answered | Unanswered:
        if not is_over:
            self._give_up(question)
        return question.outcome

    def _join(
        self, token: bytes, digest: bytes, *, may_be_here: bool = False
    ) -> tuple[Question | Unanswered, Session | None]:
        """The question about a token that is under way, or a new one; or for how long none may be asked.

        Returns:
            Beside it what to ask it with, for the one who is to do so.
        """
        while True:
            with self._lock:
                question = self._questions.get(digest)
                if question is not None and not question.ticket.is_overdue:
                    return question, None
                overdue = question
                if overdue is None and self._probe is not None and self._probe.ticket.is_overdue:
                    overdue = self._probe
                if overdue is None:
                    return self._begin(token, digest, may_be_here=may_be_here)
            # Whoever waited for it has left. What it did not bring counts all the same.
            self._give_up(overdue)

    def _begin(
        self, token: bytes, digest: bytes, *, may_be_here: bool
    ) -> tuple[Question | Unanswered, Session | None]:
        """Begin a question, within the lock."""
        rest = self._state.rest(self.clock())
        if rest > 0 or self._is_closed:
            return Unanswered(max(1.0, rest)), None
        question = Question(token, digest, self._seconds, is_probe=self._state.is_probed)
        question.watched = None if self.tell is None else Watched()
        session = None
        try:
            if may_be_here and self._has_place:
                session = self._lend(question)
            if session is None:
                self._place(question)
        except RuntimeError:  # no more threads, or the interpreter is ending
            return Unanswered(RETRY_AFTER_TROUBLE), None
        self._questions[digest] = question
        self._state.begun()
        if question.is_probe:
            self._probe = question
        return question, session

    @property
    def _has_place(self) -> bool:
        return self._here + len(self._askers) - len(self._idle) < MAX_QUESTIONS

    def _lend(self, question: Question) -> Session | None:
        """Have the thread ask that began a question, within the lock; another watches over its deadline."""
        if self._watch is None and self._spare:
            watch = Watch(self, self._name)
            watch.start()
            self._watch = watch
        session = self._spare.take()
        if session is None:
            return None
        question.session = session
        question.is_here = question.has_place = True
        self._here += 1
        return session

    def _place(self, question: Question) -> None:
        """Have a thread of ours ask, within the lock: now, or when there is a place.

        Raises:
            RuntimeError: it cannot be started.
        """
        if self._has_place and self._idle:
            self._idle.pop().give(question)
        elif self._has_place and len(self._askers) < MAX_QUESTIONS:
            asker = Asker(self, question, self._name)
            asker.start()
            self._askers.add(asker)
        else:
            question.was_in_line = True
            self._pending.append(question)
            return
        question.has_place = True

    # -- the question --------------------------------------------------------------------------------

    def next_for(self, asker: Asker) -> Question | None:
        """Return what a thread is to ask next; None where it is to end."""
        with self._lock:
            if self._pending:
                question = self._pending.popleft()
                question.has_place = True
                return question
            if self._is_closed or asker not in self._askers:
                self._askers.discard(asker)
                return None
            self._idle.append(asker)
        if not asker.is_wanted(self._idle_seconds):
            with self._lock:
                ends = asker in self._idle
                if ends:
                    self._idle.remove(asker)
                    self._askers.discard(asker)
            if ends:
                self._spare.drop_idle()
                return None
            asker.is_wanted(-1)  # it was taken out of those that are idle, so it is given something now
        return asker.taken()

    def carry_out(self, question: Question) -> None:
        """Ask a question, on a thread of ours."""
        with self._lock:
            if self._questions.get(question.digest) is not question:
                return  # it was given up before its turn came
            session = question.session = self._spare.take() or self._client.session()
        try:
            if question.ticket.is_overdue:
                self._give_up(question)  # all who waited for it were cancelled while it stood in line
            else:
                self._carry_out(question, session)
        finally:
            self._spare.keep(session)

    def _is_carried_out_here(self, question: Question, session: Session) -> bool:
        """Ask a question on the thread that began it; return whether that could be done."""
        session.connects = False
        try:
            self._carry_out(question, session)
        except NotConnected:
            question.was_reset = session.has_asked
            self._hand_over(question)
            return False
        finally:
            session.connects = True
            self._spare.keep(session)
            with self._lock:  # last, as the watch ends where no session is in use or kept
                self._here -= 1
                self._place_next()
        return True

    def _hand_over(self, question: Question) -> None:
        """Have a thread of ours ask after all."""
        with self._lock:
            if self._questions.get(question.digest) is not question:
                return
            question.is_here, question.session = False, None
            try:
                question.has_place = False
                self._place(question)
                return
            except RuntimeError:  # as in `_begin`
                question.has_place = True  # it does not stand in line
        self._settle(question, QuestionFailed("thread", "a thread cannot be started"))

    def _carry_out(self, question: Question, session: Session) -> None:
        outcome: Answered | FetchFailed
        session.restart(question.ticket.deadline)
        try:
            outcome = self._answer(question, session)
        except NotConnected:
            raise
        except FetchFailed as failure:
            is_late = failure.kind == "timeout" and question.was_in_line
            outcome = self._too_late(question) if is_late else failure
        except BaseException as unexpected:
            if question.is_here and not isinstance(unexpected, Exception):
                # It was meant for the program, whose thread this is, and for nobody who waits for the same.
                session.is_aborted = True
                self._hand_over(question)
                raise
            # No defect may leave a ticket pending for ever. Its text may have a token in it.
            outcome = QuestionFailed("unexpected", type(unexpected).__name__)
        self._settle(question, outcome)

    def _answer(self, question: Question, session: Session) -> Answered:
        if self._shared is None:
            return self._asked(question, session)
        with self._shared.turn(question.digest, question.ticket) as told:
            if told is not None:
                return told
            asked_at = self.clock()
            answered = self._asked(question, session)
            self._shared.put(question.digest, answered, asked_at)
            return answered

    def _asked(self, question: Question, session: Session) -> Answered:
        return run_question(
            self._asking.ask(question.token, was_reset=question.was_reset),
            session,
            lambda: self._metadata_within(question),
        )

    def _metadata_within(self, question: Question) -> Mapping[str, Any]:
        known = None
        if self._metadata is not None:
            known = self._metadata.need(max(0.0, question.ticket.deadline - time.monotonic()))
        if known is None:
            raise FetchFailed("no_metadata", "the issuer's metadata are not available")
        return known

    def _give_up(self, question: Question) -> None:
        """Fail a question that is overdue; what its thread brings later is thrown away."""
        self._settle(question, self._too_late(question), cuts=True)

    def _too_late(self, question: Question) -> QuestionFailed:
        """Say whose fault it is: the provider had only the rest of the time of one that stood in line."""
        if question.was_in_line:
            message = f"{MAX_QUESTIONS} questions are under way already"
            return QuestionFailed("busy", message, retry_after=1.0)
        return QuestionFailed("timeout", f"it did not answer within {self._seconds:g} s")

    def _settle(self, question: Question, outcome: Answered | FetchFailed, *, cuts: bool = False) -> None:
        """End a question, once."""
        with self._lock:
            if self._questions.get(question.digest) is not question:
                return
            del self._questions[question.digest]
            if not question.has_place:
                self._pending.remove(question)
            now = self.clock()
            if question is self._probe:
                self._probe = None
            if cuts and question.session is not None:
                question.session.is_aborted = True  # so its thread asks nothing more over it
            question.outcome = self._state.learn(outcome, now, is_probe=question.is_probe)
        if cuts and question.session is not None:
            question.session.cut()
        try:
            self._trouble.tell(outcome, now)
        finally:  # nobody waits because of what a log handler of the program's raises
            question.ticket.finish()
        tell = self.tell
        if tell is not None and question.watched is not None:
            failure = None if isinstance(outcome, Answered) else outcome.kind
            question.watched.over(lambda seconds: tell(seconds, failure))

    def _place_next(self) -> None:
        """Give the place that is free to who stands in line, within the lock."""
        if self._pending and self._has_place:
            question = self._pending.popleft()
            try:
                self._place(question)
            except RuntimeError:  # as in `_begin`: some thread that is busy takes it next
                self._pending.appendleft(question)

    # -- what nobody waits for -----------------------------------------------------------------------

    def look_after(self) -> float | None:
        """Cut short what is overdue, and drop what is idle: in so many seconds again, or never where None.

        For questions that are asked by the threads of those who wait for them, and for what those leave.
        """
        with self._lock:
            here = [question for question in self._questions.values() if question.is_here]
        for question in here:
            if question.ticket.is_overdue:
                self._give_up(question)
        self._spare.drop_idle()
        with self._lock:
            if self._is_closed or not (self._here or self._spare):
                self._watch = None
                return None
            until = [
                one.ticket.deadline - time.monotonic() for one in self._questions.values() if one.is_here
            ]
        # A question that begins meanwhile has as much time as any.
        return max(0.0, min(self._seconds, self._idle_seconds, *until))

    # -- told to operators ---------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """The state of the endpoint, as plain values. Times are seconds since 1970."""
        return self._state.report(self.clock(), len(self._questions))

    # -- the end -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Ask nothing any more: those who wait are told so, and connections are cut."""
        with self._lock:
            self._is_closed = True
            questions = list(self._questions.values())
            idle, self._idle = self._idle, []
            self._askers.difference_update(idle)
            watch = self._watch
        for question in questions:
            self._settle(question, FetchFailed("closed", "the server is closed"), cuts=True)
        for asker in idle:
            asker.give(None)
        self._spare.close()
        if watch is not None:
            watch.wake()

    def forget_threads(self) -> None:
        """In a forked child: all threads stayed in the parent, and so did the holder of the lock."""
        self._lock = threading.Lock()
        self._questions, self._pending = {}, deque()
        self._idle, self._askers = [], set()
        self._spare, self._here, self._watch = SpareSessions(self._idle_seconds), 0, None
        self._probe = None
        self._state.without_probe()


def _new_id() -> str:
    return secrets.token_urlsafe(16)


_living: weakref.WeakSet[IntrospectionSource] = weakref.WeakSet()


def _after_fork() -> None:
    for one in list(_living):
        one.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
