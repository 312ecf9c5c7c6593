"""Whole networks that need not be ours: their gradients held to their own loss, and their training steps to these."""

import contextlib
import time

import numpy as np

from compare.checking.calling import trying
from compare.checking.calling.arrays import named
from compare.checking.calling.explaining import explain
from compare.checking.finding import network_ways, whole
from compare.checking.finding.networks import GIVEN, OWN, LateError
from compare.checking.judging import derivative, own_loss
from compare.checking.judging.derivative import UndecidedError
from compare.checking.judging.own_loss import WORDS
from compare.checking.process.things import StrangersError

SHARE = 6  # of the time of all calls, that of all networks
MOST = 3  # ways of going forward that are looked at, where none gives gradients that agree


def judge(classes, ours):
    """What is found of classes of whole networks.

    Args:
        classes: `Class`es by name. ours: names of those whose gradients are judged as those of this project's network.
    Returns:
        ({"gradient NAME.weight" or "training NAME.method": (outcome, what is seen)}, {name: what was found out},
        {name: why nothing was, of what goes forward}, remarks, names of those of `ours` whose loss has an L2 term).
    """
    rows: dict = {}
    said, failed, remarks, more = {}, {}, [], []
    end = max((_worked(cls) + cls.stranger.limit / SHARE for cls in classes.values()), default=0.0)
    for name, cls in classes.items():
        trial = _Trial(name, cls, name in ours, end)
        best: tuple = ()
        try:
            best = trial.best()
        except (*trying.FAILURES, LateError, UndecidedError) as error:
            trial.went |= isinstance(error, UndecidedError)
            trial.failure = trial.failure or (explain(error) if isinstance(error, StrangersError) else str(error))
        if best:
            with contextlib.suppress(StrangersError, LateError, UndecidedError):  # what was judged before stands
                trial.judge(*best)
        rows |= trial.rows
        more += [name] if trial.regularised else []
        if trial.rows:
            said[name] = trial.said
        elif trial.went:
            failed[name] = trial.failure or "no gradients were found that are those of a loss"
        remarks += [f"{name}: {remark}" for remark in dict.fromkeys(trial.remarks)]
    return rows, said, failed, remarks, more


class _Trial:
    """One class tried out, and judged: fills in rows, said, remarks and failure."""

    def __init__(self, name, cls, ours, end):
        self.name, self.cls, self.ours, self.end = name, cls, ours, end
        self.rows: dict = {}
        self.said, self.failure, self.remarks, self.regularised, self.went = "", "", [], False, False

    def late(self):
        """Raise `LateError` once the time is over."""
        stranger = self.cls.stranger
        if _worked(self.cls) > self.end or stranger.spent > stranger.limit / 2:  # the rest is to be judged too
            raise LateError(trying.NO_TIME)

    def best(self):
        """What `_best` finds of the way of going forward that agrees best, or of the first of some."""
        best: tuple = ()
        looked = 0
        try:
            for network in network_ways.ways(self.cls, self.late):
                self.went = True
                found = self._best(network)
                if found and (not best or found[2].score > best[2].score):
                    best = found
                looked += bool(found)
                if looked == MOST or (best and best[2].score):
                    break
        except (*trying.ATTEMPT, LateError, UndecidedError):
            if not best:
                raise
        return best

    def judge(self, network, flow, held, loss, places, doubtful, told):
        """Fill in rows and remarks."""
        self.regularised = self.ours and self._is_regularised(network, flow, held, loss)
        if not self.ours or self.regularised:
            self._said_of(network, flow, held, loss, places, doubtful, told)
        if held.agrees and held.factor in (*WORDS, "-1") and "moved" not in {how for how, _ in places.values()}:
            self._train(network, flow, held, places)

    def _best(self, network):
        """(network, flow, `Held`, loss, places, doubtful, told) of the flow that agrees best; None without any."""
        best: tuple = ()
        for flow in network_ways.flows(network, network_ways.BACKWARDS):
            try:
                places, doubtful, told = network_ways.places(network, flow)
                gradients = [network.gradients(flow, places, n) for n in range(2)] if places else []
                again = network.gradients(flow, places, 0) if places else {}
            except trying.ATTEMPT as error:
                self.failure = self.failure or (explain(error) if isinstance(error, StrangersError) else str(error))
                continue
            if not gradients:
                continue
            if any(not np.array_equal(again[path], gradients[0][path], equal_nan=True) for path in again):
                raise UndecidedError(f"two calls of {flow.method} give different gradients: something random is in it")
            for loss, held in self._held(network, flow, gradients):
                if not best or held.score > best[2].score:
                    best = (network, flow, held, loss, places, doubtful, told)
                if held.score == len(places):
                    return best
        return best

    def _held(self, network, flow, gradients):
        """(loss, `Held`) for each loss that these may be the gradients of: all weights together first."""
        losses = [GIVEN] if flow.given == "upstream" else [OWN] if flow.given else []
        values: dict = {} if flow.given else network.at(0, (), 0.0) | network.at(0, (), 0.0, flow)
        for loss, value in values.items():
            if loss != GIVEN and not any(np.isclose(value, values[other], rtol=1e-9) for other in losses):
                losses.append(loss)
        directions = [{path: network.direction(n, path) for path in gradients[0]} for n in range(2)]
        found = {}
        for loss in losses:
            derived = network.derived(loss, flow)
            try:
                held = own_loss.Held(gradients, directions, derived, network.counts, network.values)
            except UndecidedError as error:
                self.failure = self.failure or str(error)
                continue
            found[loss] = held
            if held.agrees:
                yield loss, held
                return
        for loss, held in found.items():
            try:
                yield loss, held.apart()
            except UndecidedError as error:
                self.failure = self.failure or str(error)

    def _said_of(self, network, flow, held, loss, places, doubtful, told):
        """Rows and remarks of the gradients."""
        by_hand = bool(flow.form) and loss == OWN and self._is_cross_entropy(network)
        moved = "moved" in {how for how, _ in places.values()}
        known = held.factor in WORDS
        what = f"what the weights move by in {flow.method}" if moved else f"the gradients of {flow.method}"
        verb = "is" if moved else "are"
        differs = {path: seen for path, seen in held.differs.items() if path not in doubtful}
        still = {path for path in differs if moved and not any(g[path].any() for g in held.gradients)}
        several = len(held.agrees) + len(held.decays) > 1
        if not held.score:
            unsure = not by_hand or moved or doubtful or _clipped(held.gradients[0])
        else:
            unsure = (not known and (not several or (differs and told))) or (not several and len(differs) > 2)
        if unsure or (differs and network.eased):
            self.failure = f"{what} {verb} those of no loss that was found"
            return
        times = WORDS.get(held.factor, f"{held.factor} times as large as the derivative")
        faulty = not moved and by_hand and held.factor not in ("", "N", "-1")
        faulty |= moved and not known and times[:1] == "-" and not flow.given
        if faulty:
            self.rows[f"gradient {self.name}.{flow.method}"] = ("differs", f"{self.name}: {what} {verb} {times}")
        elif times and (told or not moved) and not (held.factor == "1/N" and flow.given):
            self.remarks.append(f"{what} {verb} {times}")
        for path in held.gradients[0]:
            seen = "it stays as it was" if path in still else differs.get(path, "")
            label = f"gradient {self.name}.{named(path)}"
            if seen:
                self.rows[label] = ("differs", f"{self.name}.{flow.method}, {named(path)}: {seen}")
            elif not faulty and (path in held.agrees or path in held.decays):
                self.rows[label] = ("agrees", "")
        if held.decays:
            self.remarks.append(f"{what}: beside the derivative of {loss} there is {_decays(held)}, as of an L2 term")
        if held.loose:
            self.remarks.append(f"{what} {verb} within {derivative.FAR:g} of the derivative, not within rounding")
        self.said = f"{what} {'is' if moved else 'are'} held to the derivative of {loss}"

    def _is_cross_entropy(self, network):
        values = network.at(0, (), 0.0)
        return OWN in values and any(
            np.isclose(value, values[OWN], rtol=1e-6) for name, value in values.items() if name not in (OWN, GIVEN)
        )

    def _is_regularised(self, network, flow, held, loss):
        """Whether the gradients are those of the cross-entropy, and of an L2 term; says so."""
        if loss not in (OWN, GIVEN) and held.agrees and not held.decays and held.factor in WORDS:
            held = own_loss.Held(
                held.gradients, held.directions, network.derived(OWN, None), network.counts, network.values
            ).apart()
            if held.decays and not held.differs:
                self.remarks.append(
                    f"its loss has an L2 term beside the cross-entropy: {_decays(held)} in the gradients"
                )
        return bool(held.decays) and bool(held.agrees) and not held.differs and held.factor in WORDS

    def _train(self, network, flow, held, places):
        """A row for each training method that moves the weights, beside a way back that gives gradients."""
        for name in [each for each in whole.TRAINS if each in self.cls.methods and each != flow.method]:
            for step in sorted(network_ways.flows(network, [name]), key=lambda step: step.form != flow.form):
                try:
                    found, _, told = network_ways.places(network, step)
                    if {how for how, _ in found.values()} != {"moved"} or not step.form:
                        continue
                    rates = own_loss.RATES if told else None
                    wanted = [path for path in places if path in network.values]
                    moves = [
                        network.gradients(step, {path: ("moved", path) for path in wanted}, 0, rate)
                        for rate in rates or (1.0, 1.0)
                    ]
                except trying.ATTEMPT:
                    continue
                if self.ours and not self.regularised:
                    self.said = f"{self.name}.{name} is held to the rate times the gradients of {flow.method}"
                gradients = {path: held.gradients[0][path] * (-1 if held.factor == "-1" else 1) for path in wanted}
                wrong, other = own_loss.step(moves, gradients, network.values, rates)
                wrong = wrong or self._loss_of(network, step)
                if not other:
                    outcome = ("differs", f"{self.name}.{name}: {wrong}") if wrong else ("agrees", "")
                    self.rows[f"training {self.name}.{name}"] = outcome
                self.remarks += [f"{name} {other}"] if other else []
                break

    def _loss_of(self, network, step):
        """What is wrong with the loss that a training method returns, alone; what is only another one is a remark."""
        found = [network.at(number, (), 0.0, step) for number in range(2)]
        known = [network.at(number, (), 0.0) for number in range(2)]
        if len(found[0]) != 1 or OWN not in known[0]:
            return ""
        returned, entropy = [next(iter(each.values())) for each in found], [each[OWN] for each in known]
        times = np.array(returned) / entropy
        for factor, words in ((-1, "-1"), (1 / np.log(2), "1 / ln(2)"), (1 / np.log(10), "1 / ln(10)")):
            if np.allclose(times, factor, rtol=1e-6):
                return f"the loss that it returns is {words} times the cross-entropy of its output"
        others = [[each[name] for each in known] for name in known[0] if name != GIVEN]
        if not any(np.allclose(returned, each, rtol=1e-4) for each in (*others, network.counts * np.array(entropy))):
            seen = f"{returned[0]:.6g}, its output has a cross-entropy of {entropy[0]:.6g}"
            self.remarks.append(f"{step.method} returns {seen}")
        return ""


def _worked(cls):
    """Seconds that the code has worked, and that was worked for it here: large arrays go to and fro."""
    return cls.stranger.worked + time.process_time()


def _decays(held):
    return ", ".join(f"{decay:.3g} times {named(path)}" for path, decay in held.decays.items())


def _clipped(gradients):
    """Whether the largest of some gradient's numbers is there more than once, as where they are clipped."""
    return any(np.sum(np.abs(g) == np.abs(g).max()) > 1 for g in gradients.values() if g.any())
