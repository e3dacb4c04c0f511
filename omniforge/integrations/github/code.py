"""Pull requests, commits, files and workflow runs on GitHub."""

import base64

from omniforge.errors import TryAgain
from omniforge.integrations.github import shapes
from omniforge.integrations.github.arguments import (
    BODY_OFFSET,
    CURSOR,
    LIMIT,
    NUMBER,
    REPO,
    TIME,
    window,
)
from omniforge.integrations.github.client import GitHub, Record
from omniforge.integrations.operations import Arguments, reading
from omniforge.integrations.trimming import listing, part
from omniforge.journal.steps import Json
from omniforge.tools.content import binary_kind, decode
from omniforge.tools.parameters import parameters, text, whole
from omniforge.tools.wording import counted

FILES_SHOWN = 30
FILE_CHARS = 30_000


@reading(
    "github_list_pull_requests",
    parameters(
        required=["repo"],
        repo=REPO,
        state=text(
            "open unless told; closed has the merged ones, too.", enum=["open", "closed", "all"]
        ),
        base=text("Only those into this branch."),
        sort=text("By what, newest first: created unless told.", enum=["created", "updated"]),
        limit=LIMIT,
        cursor=CURSOR,
    ),
    "repo",
)
async def list_pull_requests(github: GitHub, arguments: Arguments) -> Json:
    """List the pull requests of a repository."""
    page = await github.pull_requests(
        arguments["repo"],
        *window(arguments),
        state=arguments.get("state"),
        base=arguments.get("base"),
        sort=arguments.get("sort", "created"),
        direction="desc",
    )
    rows = [shapes.pull_request_row(each) for each in page.items]
    return listing("pull_requests", rows, page.next_cursor)


@reading(
    "github_get_pull_request",
    parameters(
        required=["repo", "number"],
        repo=REPO,
        number=NUMBER,
        with_patches={"type": "boolean", "description": "Also show what changed in each file."},
        body_offset=BODY_OFFSET,
        files_cursor=text("next_cursor of the answer before, for further files."),
    ),
    "repo",
)
async def get_pull_request(github: GitHub, arguments: Arguments) -> Json:
    """Read one pull request with the files it changes. Its discussion is what github_get_issue gives
    for the same number."""
    repo, number = arguments["repo"], arguments["number"]
    found = await github.pull_request(repo, number)
    page = await github.changed_files(repo, number, FILES_SHOWN, arguments.get("files_cursor"))
    with_patch = arguments.get("with_patches", False)
    files = [shapes.changed_file(each, with_patch=with_patch) for each in page.items]
    told = shapes.pull_request(found, arguments.get("body_offset", 0))
    return {**told, **listing("files", files, page.next_cursor)}


@reading(
    "github_list_commits",
    parameters(
        required=["repo"],
        repo=REPO,
        branch=text("A branch, tag or commit; the default branch unless told."),
        path=text("Only commits that changed this file or folder."),
        author=text("Only those of this login or email address."),
        since=text(f"Only later ones. {TIME}"),
        until=text(f"Only earlier ones. {TIME}"),
        limit=LIMIT,
        cursor=CURSOR,
    ),
    "repo",
)
async def list_commits(github: GitHub, arguments: Arguments) -> Json:
    """List commits of a branch, newest first."""
    page = await github.commits(
        arguments["repo"],
        *window(arguments),
        sha=arguments.get("branch"),
        path=arguments.get("path"),
        author=arguments.get("author"),
        since=arguments.get("since"),
        until=arguments.get("until"),
    )
    return listing("commits", [shapes.commit_row(each) for each in page.items], page.next_cursor)


@reading(
    "github_read_file",
    parameters(
        required=["repo", "path"],
        repo=REPO,
        path=text("Path of a file or folder in the repository; '/' is its root.", minLength=1),
        ref=text("A branch, tag or commit; the default branch unless told."),
        offset=whole("From which character on to read, when the file was cut.", 0, 10_000_000),
    ),
    "repo",
)
async def read_file(github: GitHub, arguments: Arguments) -> Json:
    """Read a text file of a repository, or list a folder of it."""
    found = await github.contents(arguments["repo"], arguments["path"], arguments.get("ref"))
    if isinstance(found, list):
        return listing("entries", [shapes.entry_row(each) for each in found])
    offset = arguments.get("offset", 0)
    content = part(_text_of(found), offset, FILE_CHARS, "ask with offset {}")
    return {"path": found["path"], "bytes": found["size"], "content": content}


@reading(
    "github_search_code",
    parameters(
        required=["query"],
        query=text("GitHub's search terms, such as 'repo:acme/shop parse_date'.", maxLength=256),
        limit=LIMIT,
        cursor=CURSOR,
    ),
    "repo",
)
async def search_code(github: GitHub, arguments: Arguments) -> Json:
    """Find files by their content in the default branches of repositories. github_read_file reads them."""
    page = await github.search_code(arguments["query"], *window(arguments))
    return listing("files", [shapes.code_row(each) for each in page.items], page.next_cursor)


@reading(
    "github_list_workflow_runs",
    parameters(
        required=["repo"],
        repo=REPO,
        branch=text("Only runs of this branch."),
        status=text(
            "Only runs with this status or conclusion.",
            enum=["queued", "in_progress", "completed", "success", "failure", "cancelled"],
        ),
        limit=LIMIT,
        cursor=CURSOR,
    ),
    "repo",
)
async def list_workflow_runs(github: GitHub, arguments: Arguments) -> Json:
    """List runs of GitHub Actions in a repository, newest first: what ran, and whether it passed."""
    page = await github.workflow_runs(
        arguments["repo"],
        *window(arguments),
        branch=arguments.get("branch"),
        status=arguments.get("status"),
    )
    return listing("runs", [shapes.run_row(each) for each in page.items], page.next_cursor)


def _text_of(file: Record) -> str:
    if file.get("type") != "file":
        raise TryAgain(f"{file['path']} is a {file.get('type')}, not a file.")
    # GitHub leaves the content out from one megabyte on.
    if file.get("encoding") != "base64":
        raise TryAgain(f"{file['path']} has {counted(file['size'], 'byte')}, too many to be read.")
    content = base64.b64decode(file["content"])
    if kind := binary_kind(content):
        raise TryAgain(f"{file['path']} is {kind}; only text files can be read.")
    return decode(content).text
