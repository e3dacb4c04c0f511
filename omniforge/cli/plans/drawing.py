"""A plan as lines of text: one level after the other, what runs side by side on one rail."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from omniforge.agents.graph import PlanGraph, PlanNode
from omniforge.cli.output import one_line


def drawn(graph: PlanGraph) -> Iterator[str]:
    """The lines of a drawing. They are the same on a terminal and in a file."""
    by_level = sorted(graph.nodes, key=lambda node: node.level)
    levels = [list(nodes) for _, nodes in groupby(by_level, key=lambda node: node.level)]
    width = max(len(_name(node)) for node in graph.nodes)
    for number, nodes in enumerate(levels):
        if number:
            yield "╎" if all(_stands_in_for(graph, node) for node in nodes) else "│"
        yield from _level(graph, nodes, width, is_last=number == len(levels) - 1)
    if graph.on_demand:
        yield ""
        yield f"on demand: {', '.join(graph.on_demand)}"


def _level(graph: PlanGraph, nodes: Sequence[PlanNode], width: int, is_last: bool) -> Iterator[str]:
    for place, node in enumerate(nodes):
        is_end = is_last and place == len(nodes) - 1
        rail = "" if len(nodes) == 1 else "└─" if is_end else "├─"
        mark = rail + ("○" if _stands_in_for(graph, node) else "●")
        yield f"{mark} {_name(node):<{width}}  {_before(graph, node)}".rstrip()
        indent = f"{' ' if is_end else '│'}{' ' * len(mark)}"
        yield from (f"{indent}{line}" for line in _told(node))


def _name(node: PlanNode) -> str:
    return node.id if node.id == node.name else f"{node.id} ({node.name})"


def _before(graph: PlanGraph, node: PlanNode) -> str:
    if (replaced := _stands_in_for(graph, node)) is not None:
        return f"in place of {replaced}, if that fails"
    before = [edge.source for edge in graph.edges if edge.target == node.id]
    return f"after {', '.join(before)}" if before else ""


def _stands_in_for(graph: PlanGraph, node: PlanNode) -> str | None:
    fallbacks = (edge for edge in graph.edges if edge.kind == "fallback")
    return next((edge.source for edge in fallbacks if edge.target == node.id), None)


def _told(node: PlanNode) -> Iterator[str]:
    """What there is to say of a node besides its place."""
    for word, text in (("when", node.when), ("for each", node.for_each), ("input", node.input)):
        if text is not None:
            yield f"{word:<8}  {one_line(text)}"
    if node.on_failure == "continue":
        yield "when it fails, the run goes on"
    limits = [f"{node.timeout_s:g} s" if node.timeout_s else "", node.model or ""]
    if any(limits):
        yield f"{'limits':<8}  {', '.join(filter(None, limits))}"
