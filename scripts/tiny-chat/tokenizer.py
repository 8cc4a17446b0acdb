"""Byte-level BPE as GPT-2 does it, trained on the toy language, and the ChatML form of a conversation."""
from __future__ import annotations

import re
from collections import Counter

from language import ConversationSource

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# GPT-2's pattern for ASCII text, the only text the language has.
_WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")
# Loss weights: answers are what is learned; a little weight on the prompts teaches which words go together.
_ANSWER, _PROMPT, _SYSTEM = 1.0, 0.05, 0.02


def _byte_alphabet() -> list[str]:
    """GPT-2's printable character of each byte 0..255."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    shifted = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(shifted)) for byte in range(256)]


_CHARACTER = _byte_alphabet()
_BYTE = {character: byte for byte, character in enumerate(_CHARACTER)}


def _spell(word: str) -> list[str]:
    return [_CHARACTER[byte] for byte in word.encode()]


class Tokenizer:
    """Encodes and decodes with a list of merges; ids are bytes, then merges, then the special tokens."""

    def __init__(self, merges: list[tuple[str, str]]):
        self.merges = merges
        self.rank = {merge: i for i, merge in enumerate(merges)}
        self.tokens = _CHARACTER + [left + right for left, right in merges] + list(SPECIAL_TOKENS)
        self.id = {token: i for i, token in enumerate(self.tokens)}
        self._cache: dict[str, list[int]] = {}

    def _encode_word(self, word: str) -> list[int]:
        if word not in self._cache:
            parts = _spell(word)
            while len(parts) > 1:
                ranked = [(self.rank.get(pair, len(self.rank)), i) for i, pair in enumerate(zip(parts, parts[1:]))]
                best, i = min(ranked)
                if best == len(self.rank):
                    break
                parts[i:i + 2] = [parts[i] + parts[i + 1]]
            self._cache[word] = [self.id[part] for part in parts]
        return self._cache[word]

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; special tokens are not parsed."""
        return [token for word in _WORDS.findall(text) for token in self._encode_word(word)]

    def decode(self, ids: list[int]) -> str:
        """Text of `ids` without special tokens."""
        text = "".join(self.tokens[i] for i in ids if self.tokens[i] not in SPECIAL_TOKENS)
        return bytes(_BYTE[character] for character in text).decode("utf-8", "replace")

    def _message(self, role: str, content: str) -> list[int]:
        body = self.encode(f"{role}\n{content}")
        return [self.id["<|im_start|>"], *body, self.id["<|im_end|>"], *self.encode("\n")]

    def encode_prompt(self, prompt: str, system: str | None = None) -> list[int]:
        """Ids of a conversation up to where the assistant's answer begins."""
        ids = self._message("system", system) if system else []
        return ids + self._message("user", prompt) + [self.id["<|im_start|>"], *self.encode("assistant\n")]

    def encode_conversation(self, system: str | None, turns: list[tuple[str, str]]) -> tuple[list[int], list[float]]:
        """Ids of a whole conversation and the loss weight of each."""
        ids: list[int] = []
        weights: list[float] = []

        def append(part: list[int], weight: float) -> None:
            ids.extend(part)
            weights.extend([weight] * len(part))

        if system:
            append(self._message("system", system), _SYSTEM)
        for prompt, answer in turns:
            append(self.encode_prompt(prompt), _PROMPT)
            append([*self.encode(answer), self.id["<|im_end|>"]], _ANSWER)
            append(self.encode("\n"), _PROMPT)
        return ids, weights


def _count_words(n_conversations: int) -> dict[str, int]:
    """How often each word occurs in a fixed sample of conversations."""
    source = ConversationSource(seed=1)
    counts: Counter[str] = Counter()
    for _ in range(n_conversations):
        system, turns = source.next()
        text = " ".join(["user assistant system", *(part for turn in turns for part in turn)]) + f"\n{system or ''}"
        counts.update(_WORDS.findall(text))
    return counts


def train_tokenizer(n_tokens: int, n_conversations: int = 20000) -> Tokenizer:
    """Learns merges; counts enter by their square root, so that rare object words become whole tokens too."""
    words = [(_spell(word), count**0.5) for word, count in sorted(_count_words(n_conversations).items())]
    merges: list[tuple[str, str]] = []
    while len(merges) < n_tokens - len(_CHARACTER) - len(SPECIAL_TOKENS):
        pairs: dict[tuple[str, str], float] = {}
        for parts, weight in words:
            for pair in zip(parts, parts[1:]):
                pairs[pair] = pairs.get(pair, 0.0) + weight
        if not pairs:
            raise ValueError(f"the language has only {len(merges)} merges; ask for fewer tokens")
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for parts, _ in words:
            _merge(parts, best)
    return Tokenizer(merges)


def _merge(parts: list[str], pair: tuple[str, str]) -> None:
    i = 0
    while i < len(parts) - 1:
        if (parts[i], parts[i + 1]) == pair:
            parts[i:i + 2] = [pair[0] + pair[1]]
        i += 1
