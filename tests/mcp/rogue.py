"""A program that breaks the protocol in one way. `python -S rogue.py WAY`; standard library only."""

import json
import sys
import time
from typing import Any

BROKEN: list[Any] = [
    {"name": "good", "inputSchema": {"type": "object"}},
    {"name": "broken", "inputSchema": {"type": "object", "properties": {"a": {"type": "strin"}}}},
    {"name": "large", "inputSchema": {"type": "object", "description": "x" * 1_000_000}},
    {"name": "good", "inputSchema": {"type": "object"}},
    {"name": "a.name with/signs" + "x" * 100, "inputSchema": {"type": "object"}},
]


def answer(request: dict[str, Any], way: str) -> dict[str, Any] | None:
    method, asked = request["method"], request.get("params", {})
    if method == "initialize" and way != "silent":
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "rogue", "version": "1"},
        }
    if method == "tools/list":
        return tools(way, int(asked.get("cursor", 0)))
    if method == "tools/call":
        return called(way)
    return None


def tools(way: str, page: int) -> dict[str, Any]:
    if way == "broken":
        return {"tools": BROKEN}
    if way == "many":
        return {"tools": [{"name": f"t{n}", "inputSchema": {"type": "object"}} for n in range(500)]}
    tool = {"name": f"tool{page or ''}", "inputSchema": {"type": "object"}}
    return {"tools": [tool], "nextCursor": str(page + 1)} if way == "endless" else {"tools": [tool]}


def called(way: str) -> dict[str, Any] | None:
    if way == "garbage":
        return {"content": "no list"}
    if way == "flood":
        while True:
            sys.stdout.write("x" * 1_000_000)
    if way == "deaf":
        time.sleep(3_600)
    return {"content": [{"type": "text", "text": "fine"}]}


def main() -> None:
    way = sys.argv[1]
    sys.stdout.write("this is no message\n")
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        result = answer(request, way)
        if result is not None:
            reply = {"result": result}
        elif way == "silent":
            continue
        else:
            reply = {"error": {"code": -32601, "message": "unknown"}}
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **reply}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
