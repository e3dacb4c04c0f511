"""How a program ended, in words that a model can act on."""

from omniforge.errors import TryAgain
from omniforge.tools.sandbox.protocol import MEGABYTE, Ending, Limits, Stop

# Of each stream. Its end is as telling as its beginning: that is where errors stand.
MAX_SHOWN = 16_000

_SIGKILL, _SIGXCPU, _SIGXFSZ = 9, 24, 25


def shown(output: bytes) -> str:
    """A program's output as text that every store takes, with its middle left out when it is long."""
    text = output.decode(errors="replace").replace("\0", "\ufffd")
    if len(text) <= MAX_SHOWN:
        return text
    half = MAX_SHOWN // 2
    left_out = len(text) - 2 * half
    note = f"[{left_out} characters left out; long results belong into a file]"
    return f"{text[:half]}\n{note}\n{text[-half:]}"


def explained(ending: Ending, limits: Limits) -> str:
    """What a reader cannot see from the exit code; empty when it says all there is.

    Raises:
        TryAgain: It wrote more than can be kept, so nothing of its work counts.
    """
    match ending.stop:
        case Stop.DISK:
            raise TryAgain(
                f"It was stopped, and its files were undone: it left more than"
                f" {limits.workspace_files} files, {limits.workspace_bytes // MEGABYTE} MB, or folders"
                " nested too deeply. Write less."
            )
        case Stop.TIME:
            return (
                f"It was stopped after {limits.wall_s:g} seconds, with all that it had started. Files it"
                " wrote until then are kept. Give it less to do at once."
            )
        case Stop.MEMORY:
            megabytes = limits.memory_bytes // MEGABYTE
            return (
                f"It was stopped: it used more than {megabytes} MB of memory. Give it less at once."
            )
        case Stop.OUTPUT:
            return (
                f"It was stopped: it printed more than {limits.output_bytes} bytes. Let it print less,"
                " or write into a file."
            )
    return _of_signal(ending.signal, limits) if ending.signal else ""


def _of_signal(number: int, limits: Limits) -> str:
    if number == _SIGXCPU:
        return f"It was stopped: it used more than {limits.cpu_s} seconds of processor time."
    if number == _SIGXFSZ:
        return f"It was stopped: files may have {limits.file_bytes // MEGABYTE} MB at most."
    if number == _SIGKILL:
        return "It was killed (signal 9), as happens when memory runs out."
    return f"It died of signal {number}."
