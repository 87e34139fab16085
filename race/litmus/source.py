"""The text of a test: without comments, cut into tokens, and each mistake in it at its line."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

MOST = (1 << 64) - 1


class TextError(Exception):
    """A mistake in a test: what cannot be read, at which line, and how to mend it."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Token(NamedTuple):
    kind: str  # number, name, mark, or end
    text: str
    line: int

    @property
    def shown(self) -> str:
        return f'"{self.text}"' if self.text else "the end"


_TOKEN = re.compile(
    r"""(?P<number> [-+]?0[xX][0-9a-fA-F]+\b | [-+]?[0-9]+(?![0-9A-Za-z_]) )
      | (?P<name> [A-Za-z_$.%][\w$.]* )
      | (?P<mark> /\\ | \\/ | => | == | != | <> | [][(){}=;:,~&*] )
      | (?P<odd> \S )""",
    re.VERBOSE | re.ASCII,
)
_COMMENT = re.compile(r"\(\*|\*\)")
_COMMENT_OR_STRING = re.compile(r'\(\*|"[^"\n]*"')


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def without_comments(text: str) -> str:
    """Comments, nested ones too, become blanks, so that every offset keeps its line."""
    parts: list[str] = []
    at = 0
    while opened := _COMMENT_OR_STRING.search(text, at):
        parts.append(text[at : opened.start()])
        at = opened.end()
        if opened.group() != "(*":
            parts.append(opened.group())
            continue
        depth = 1
        while depth:
            mark = _COMMENT.search(text, at)
            if mark is None:
                raise TextError(line_of(text, opened.start()), "a comment is not closed; end it with *)")
            depth += 1 if mark.group() == "(*" else -1
            at = mark.end()
        parts.append(re.sub(r"[^\n]", " ", text[opened.start() : at]))
    return "".join(parts) + text[at:]


class Tokens:
    """The tokens of a section, read one after the other."""

    def __init__(self, text: str, line: int) -> None:
        self._tokens: list[Token] = []
        self._next = 0
        for found in _TOKEN.finditer(text):
            here = line + text.count("\n", 0, found.start())
            if found.lastgroup == "odd":
                raise TextError(here, f'cannot read "{_word(text, found.start())}"')
            self._tokens.append(Token(found.lastgroup or "", found.group(), here))
        self._end = Token("end", "", line + text.rstrip().count("\n"))

    def peek(self, ahead: int = 0) -> Token:
        at = self._next + ahead
        return self._tokens[at] if at < len(self._tokens) else self._end

    def take(self) -> Token:
        token = self.peek()
        self._next += 1
        return token

    def accept(self, *texts: str) -> Token | None:
        """The next token if it is one of those marks or words, in any letter case."""
        return self.take() if self.peek().text.lower() in texts else None

    def expect(self, text: str, after: str) -> None:
        if not self.accept(text):
            self.fail(f'"{text}" {after}')

    def name(self, what: str) -> Token:
        return self.take() if self.peek().kind == "name" else self.fail(what)

    def number(self) -> int:
        token = self.peek()
        if token.kind != "number":
            self.fail("a number")
        self._next += 1
        return number(token)

    def fail(self, expected: str) -> NoReturn:
        token = self.peek()
        raise TextError(token.line, f"expected {expected}, not {token.shown}")


def number(token: Token) -> int:
    """As it is written; negative ones stay negative."""
    sign, digits = (token.text[0], token.text[1:]) if token.text[0] in "+-" else ("", token.text)
    value = int(digits, 16) if digits[:2].lower() == "0x" else int(digits)
    if value > MOST:
        raise TextError(token.line, f"{token.text} does not fit 64 bits")
    return -value if sign == "-" else value


def _word(text: str, start: int) -> str:
    return re.split(r"[\s;|]", text[start:], maxsplit=1)[0]
