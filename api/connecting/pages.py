"""The few pages that a person sees between the platform and a service. They hold no script."""

from html import escape

from fastapi.responses import HTMLResponse

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body {{ font: 1.1rem/1.6 system-ui; max-width: 34rem; margin: 12vh auto; padding: 0 1rem }}
button {{ font: inherit; padding: .4rem 1.2rem }}</style>
</head>
<body>
<h1>{title}</h1>
<p>{words}</p>
{more}
</body>
</html>
"""
_GO_ON = """\
<form method="post"><input type="hidden" name="proof" value="{proof}"><button>Go on</button></form>"""


def page(title: str, words: str, status: int = 200, *, proof: str = "") -> HTMLResponse:
    """Plain words. With a proof it has a button that posts that to the page's own address."""
    more = _GO_ON.format(proof=escape(proof)) if proof else ""
    body = _PAGE.format(title=escape(title), words=escape(words), more=more)
    return HTMLResponse(body, status, _HEADERS)
