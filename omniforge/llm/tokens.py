"""How many tokens a request may have, told without asking anybody."""

import json
from collections.abc import Iterator

from omniforge.llm.protocol import Completion, Message

# English prose has 3.5 to 4.5 bytes a token, dense JSON 2.3 to 3 with the tokenizers of 2026. Two
# keeps the estimate above the truth for all but random strings; no tokenizer ships with the SDKs.
BYTES_PER_TOKEN = 2
_TOKENS_PER_MESSAGE = 8
_TOKENS_PER_BLOCK = 16
# With tools, providers add a prompt of their own: 300 to 700 tokens as documented.
_TOKENS_FOR_HAVING_TOOLS = 800


def estimate_tokens(request: Completion) -> int:
    """An upper-side estimate of the input tokens, for reserving money before a call.

    Two bytes of UTF-8 a token, plus what each message, call, answer and tool adds in framing.
    """
    return tokens_in("".join(_texts(request))) + _framing(request)


def message_tokens(message: Message) -> int:
    """What one message adds to a request's estimate."""
    framing = _TOKENS_PER_MESSAGE + _TOKENS_PER_BLOCK * _blocks_of(message)
    return tokens_in("".join(_texts_of(message))) + framing


def tokens_in(text: str) -> int:
    """An upper-side estimate of a text's tokens."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


def _framing(request: Completion) -> int:
    blocks = sum(map(_blocks_of, request.messages))
    tokens = _TOKENS_PER_MESSAGE * (len(request.messages) + 1)
    tokens += _TOKENS_PER_BLOCK * (blocks + len(request.tools))
    return tokens + (_TOKENS_FOR_HAVING_TOOLS if request.tools else 0)


def _blocks_of(message: Message) -> int:
    return len(message.calls) + len(message.answers)


def _texts(request: Completion) -> Iterator[str]:
    yield request.system
    # At once: an encoder a tool would cost more than the encoding.
    yield _json([(tool.name, tool.description, tool.parameters) for tool in request.tools])
    for message in request.messages:
        yield from _texts_of(message)


def _texts_of(message: Message) -> Iterator[str]:
    yield message.text
    for call in message.calls:
        yield from (call.id, call.name, _json(call.arguments))
    if message.native is not None:
        yield _json(message.native.content)
    for answer in message.answers:
        yield from (answer.call_id, answer.content)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
