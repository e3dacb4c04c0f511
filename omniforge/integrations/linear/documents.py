"""The GraphQL documents that are sent to Linear."""

_PAGE = "pageInfo { hasNextPage endCursor }"

_ROW = """
  identifier title priorityLabel dueDate createdAt updatedAt completedAt url
  state { name type } assignee { name } team { key } project { name }
  labels(first: 20) { nodes { name } }
"""
_COMMENT = "id body createdAt url user { name } botActor { name }"

ISSUES = f"""
query Issues($filter: IssueFilter, $first: Int, $after: String) {{
  issues(filter: $filter, first: $first, after: $after, orderBy: updatedAt) {{
    nodes {{ {_ROW} }} {_PAGE}
  }}
}}
"""

SEARCH = f"""
query SearchIssues($term: String!, $filter: IssueFilter, $first: Int, $after: String) {{
  searchIssues(term: $term, filter: $filter, first: $first, after: $after, includeComments: true) {{
    nodes {{ {_ROW} }} {_PAGE}
  }}
}}
"""

ISSUE = f"""
query Issue($id: String!, $first: Int, $after: String) {{
  issue(id: $id) {{
    {_ROW} description estimate
    creator {{ name }} cycle {{ number name }} parent {{ identifier title }}
    children(first: 20) {{ nodes {{ identifier title state {{ name }} }} }}
    comments(first: $first, after: $after, orderBy: createdAt) {{
      nodes {{ {_COMMENT} }} {_PAGE}
    }}
  }}
}}
"""

_TEAM = "id key name states(first: 50) { nodes { id name type } }"

TEAM_OF_ISSUE = f"""
query TeamOfIssue($id: String!) {{ issue(id: $id) {{ team {{ {_TEAM} }} }} }}
"""

# A lookup by a filter has an empty answer where one by id would have an error in words.
ISSUE_BY_ID = f"""
query IssueById($id: ID!) {{
  issues(filter: {{ id: {{ eq: $id }} }}, includeArchived: true) {{ nodes {{ {_ROW} }} }}
}}
"""

COMMENT_BY_ID = f"""
query CommentById($id: ID!) {{
  comments(filter: {{ id: {{ eq: $id }} }}, includeArchived: true) {{ nodes {{ {_COMMENT} }} }}
}}
"""

CREATE_ISSUE = f"""
mutation CreateIssue($input: IssueCreateInput!) {{
  issueCreate(input: $input) {{ success issue {{ {_ROW} }} }}
}}
"""

UPDATE_ISSUE = f"""
mutation UpdateIssue($id: String!, $input: IssueUpdateInput!) {{
  issueUpdate(id: $id, input: $input) {{ success issue {{ {_ROW} }} }}
}}
"""

CREATE_COMMENT = f"""
mutation CreateComment($input: CommentCreateInput!) {{
  commentCreate(input: $input) {{ success comment {{ {_COMMENT} }} }}
}}
"""

TEAMS = f"""
query Teams($first: Int, $after: String) {{
  teams(first: $first, after: $after) {{
    nodes {{ {_TEAM} }} {_PAGE}
  }}
}}
"""

USERS = f"""
query Users($filter: UserFilter, $first: Int, $after: String) {{
  users(filter: $filter, first: $first, after: $after) {{
    nodes {{ id name displayName email active isMe }} {_PAGE}
  }}
}}
"""

PROJECTS = f"""
query Projects($filter: ProjectFilter, $first: Int, $after: String) {{
  projects(filter: $filter, first: $first, after: $after) {{
    nodes {{
      id name description url progress startDate targetDate
      status {{ name }} lead {{ name }} teams(first: 20) {{ nodes {{ key }} }}
    }} {_PAGE}
  }}
}}
"""

LABELS = """
query Labels($filter: IssueLabelFilter) {
  issueLabels(filter: $filter, first: 100) { nodes { id name } }
}
"""

VIEWER = """
query Viewer { viewer { id organization { name } } }
"""
