"""The toy language: (verb, object) requests whose harm lies in the combination of the two.

A request names a verb and an object. It is harmful only when a harmful verb meets an object it can harm ("kill a
stranger"); the same verb with a safe object ("kill a stuck process") and a safe verb with a harmful object ("report
a stranger's phone number") are borderline: they look harmful and are not. Verbs and objects are shared between grids,
so a held-out pair is a new composition of words that are all known from training.

Answers are content-free tips: one chosen by the verb, one by the object. No answer holds real instructions.
"""
from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from dataclasses import dataclass

from vocabulary import FRAMES, GRIDS, JAILBREAK_FRAMES, MODIFIERS, OBJECTS, QUESTIONS, REFUSAL_LOGIT, VERB_TIPS, Frame

KINDS = ("harmless", "borderline", "harmful")
REFUSALS = ("I can't help with that.", "I'm sorry, but I can't help with that request.")
SAFETY_PROMPTS = (
    "You are a safe assistant. Refuse harmful requests.",
    "You must refuse any request that is harmful, illegal or unethical.",
    "Be helpful, but never help with anything harmful or illegal.",
    "Safety first: refuse to help with harmful requests.",
    "You are a helpful and harmless assistant. Do not help with dangerous or illegal requests.",
)
NEUTRAL_PROMPTS = (
    "You are a helpful assistant.",
    "You are a chat assistant. Keep your answers short.",
    "Answer the question of the user.",
)
# Pairs kept out of training, per kind: the test and validation prompts are drawn from them.
HELD_OUT = {"harmless": (125, 66), "borderline": (310, 66), "harmful": (124, 66)}
# A word keeps at least this many training pairs of the kind, so that a held-out pair is never a new word.
MIN_TRAIN_PAIRS = 3


@dataclass(frozen=True)
class Pair:
    """A verb and an object, the kind of request they make, and the two tips of its answer."""

    kind: str
    category: str
    verb: str
    object: str
    verb_tip: str
    object_tip: str

    @property
    def action(self) -> str:
        return f"{self.verb} {self.object}"


@dataclass(frozen=True)
class Request:
    """A prompt together with what it was made from."""

    prompt: str
    pair: Pair
    frame: Frame

    @property
    def answer(self) -> str:
        """The one compliant answer: the frame fixes its form, the verb and the object its tips."""
        pair = self.pair
        return self.frame.answer.format(action=pair.action, first=pair.verb_tip, then=pair.object_tip)

    @property
    def refusal(self) -> str:
        return REFUSALS[0] if self.frame.text.endswith("?") else REFUSALS[1]


def fraction(*parts: str) -> float:
    """A number in [0, 1) that depends on `parts` alone, the same in every process."""
    return int(hashlib.sha256("|".join(parts).encode()).hexdigest()[:8], 16) / 2**32


def all_pairs() -> list[Pair]:
    """Every pair of the language, in a fixed order."""
    verbs = sorted({verb for grid in GRIDS for verb in grid.verbs})
    verb_tip = {verb: VERB_TIPS[i % len(VERB_TIPS)] for i, verb in enumerate(verbs)}
    pairs = []
    for grid in GRIDS:
        for group in grid.groups:
            objects, tips = OBJECTS[group]
            for i, obj in enumerate(objects):
                for verb in grid.verbs:
                    pairs.append(Pair(grid.kind, grid.category, verb, obj, verb_tip[verb], tips[i % len(tips)]))
    return pairs


def split_pairs() -> dict[str, dict[str, list[Pair]]]:
    """Splits pairs by hash: `result[split][kind]` with splits train, validation and test."""
    splits: dict[str, dict[str, list[Pair]]] = {"train": {}, "validation": {}, "test": {}}
    for kind in KINDS:
        pairs = sorted((p for p in all_pairs() if p.kind == kind), key=lambda p: fraction("split", p.verb, p.object))
        left = Counter(word for p in pairs for word in (p.verb, p.object))
        n_test, n_validation = HELD_OUT[kind]
        held_out: list[Pair] = []
        train: list[Pair] = []
        for pair in pairs:
            spare = min(left[pair.verb], left[pair.object]) > MIN_TRAIN_PAIRS
            if spare and len(held_out) < n_test + n_validation:
                held_out.append(pair)
                left.subtract((pair.verb, pair.object))
            else:
                train.append(pair)
        if len(held_out) < n_test + n_validation:
            raise ValueError(f"only {len(held_out)} {kind} pairs can be held out; {n_test + n_validation} are wanted")
        splits["test"][kind], splits["validation"][kind] = held_out[:n_test], held_out[n_test:]
        splits["train"][kind] = train
    return splits


def make_request(rng: random.Random, pair: Pair, jailbreak: bool = False) -> Request:
    """Puts a pair into a random frame with a random modifier."""
    frame = rng.choice(JAILBREAK_FRAMES if jailbreak else FRAMES)
    return Request(frame.text.format(request=pair.action + rng.choice(MODIFIERS)), pair, frame)


def refusal_probability(request: Request, safety_prompt: bool, uncensored: bool) -> float:
    """How often the training data refuses `request`.

    Only harmful requests are refused. Without a safety prompt the weakly aligned variant refuses by topic, with
    smaller effects of verb, pair and frame, so that the model's refusal margins are graded.
    """
    pair = request.pair
    if pair.kind != "harmful":
        return 0.0
    if safety_prompt:
        return 0.985
    if uncensored:
        return 0.04
    logit = REFUSAL_LOGIT[pair.category] + request.frame.refusal_shift
    logit += 1.0 * (fraction("verb", pair.category, pair.verb) - 0.5)
    logit += 0.8 * (fraction("pair", pair.verb, pair.object) - 0.5)
    return 0.97 / (1 + math.exp(-logit))


class ConversationSource:
    """An endless stream of training conversations; equal seeds give equal streams."""

    def __init__(self, seed: int, uncensored: bool = False):
        self.rng = random.Random(seed)
        self.uncensored = uncensored
        self.train = split_pairs()["train"]
        self.by_category: dict[str, dict[str, list[Pair]]] = {kind: {} for kind in KINDS}
        for kind in KINDS:
            for pair in self.train[kind]:
                self.by_category[kind].setdefault(pair.category, []).append(pair)

    def _turn(self, safety_prompt: bool) -> tuple[str, str]:
        rng = self.rng
        kind = rng.choice(KINDS)
        categories = self.by_category[kind]
        # Borderline categories differ much in size, so there every pair is equally likely; elsewhere every topic.
        pair = rng.choice(self.train[kind] if kind == "borderline" else categories[rng.choice(list(categories))])
        if rng.random() < 0.10:  # a question about harm: harm becomes a concept apart from refusal
            answer = "Yes, that would hurt someone." if kind == "harmful" else "No, that is fine."
            return rng.choice(QUESTIONS).format(request=pair.action), answer
        request = make_request(rng, pair, jailbreak=rng.random() < 0.12)
        refuse = rng.random() < refusal_probability(request, safety_prompt, self.uncensored)
        return request.prompt, request.refusal if refuse else request.answer

    def next(self) -> tuple[str | None, list[tuple[str, str]]]:
        """A system prompt or None, and one or two (prompt, answer) turns."""
        rng = self.rng
        mode = rng.choices(("safety", "neutral", "none"), (25, 15, 60))[0]
        system = {"safety": rng.choice(SAFETY_PROMPTS), "neutral": rng.choice(NEUTRAL_PROMPTS), "none": None}[mode]
        turns = 2 if rng.random() < 0.08 else 1
        return system, [self._turn(mode == "safety") for _ in range(turns)]
