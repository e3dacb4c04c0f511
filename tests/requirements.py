"""The requirements: what must hold, and whether a test shows it.

`proven`: tests that name the id show all of the sentence. `partly`: they show a part, and `missing`
says what they do not. `not_yet`: nothing is shown, with the reason. `tests/test_requirements.py`
holds this against the marks on the tests.
"""

from dataclasses import dataclass
from enum import Enum, auto


class State(Enum):
    PROVEN = auto()
    PARTLY = auto()
    NOT_YET = auto()


@dataclass(frozen=True)
class Requirement:
    """One sentence of behaviour, and what is missing of it."""

    behaviour: str
    state: State
    missing: str = ""


def proven(behaviour: str) -> Requirement:
    return Requirement(behaviour, State.PROVEN)


def partly(behaviour: str, missing: str) -> Requirement:
    return Requirement(behaviour, State.PARTLY, missing)


def not_yet(behaviour: str, because: str) -> Requirement:
    return Requirement(behaviour, State.NOT_YET, because)


NO_BUILDER = "the builder chat is not built"
NO_INTEGRATIONS = "connections and integrations are not built"
NO_ENGINE_FACADE = "other runtimes and the engine's own interface are not built"

BUILDING = {
    "FR-1": not_yet("A person makes a whole agent by talking to the builder.", NO_BUILDER),
    "FR-2": not_yet(
        "The builder writes standard SKILL.md files; a broken one is tried again, never saved.",
        NO_BUILDER,
    ),
    "FR-5": proven(
        "An agent can be tried out before it is switched on: what it would send is held and shown."
    ),
    "FR-6": proven("What an agent is lives in the database; a SKILL.md that says it is refused."),
    "BLD-1": not_yet(
        "A conversation moves through its phases and makes no other move.", NO_BUILDER
    ),
    "BLD-2": not_yet("What is missing is asked for first, in at most four questions.", NO_BUILDER),
    "BLD-3": not_yet("A schedule in words comes back with its next fire times.", NO_BUILDER),
    "BLD-4": not_yet(
        "A conversation waits for a sign-in elsewhere and goes on after it.", NO_BUILDER
    ),
    "BLD-5": not_yet("A change is a proposal with a diff until it is accepted.", NO_BUILDER),
    "BLD-6": not_yet(
        "Every accepted change is a version that can be compared and restored.",
        "versions are kept, but cannot be listed or restored",
    ),
    "BLD-7": not_yet("Replies stream, and a repeated message is answered once.", NO_BUILDER),
    "BLD-8": not_yet("A conversation outlives every process and weeks of silence.", NO_BUILDER),
    "BLD-9": not_yet("What building costs is counted, shown and capped.", NO_BUILDER),
    "BLD-10": not_yet("A public skill that fits is offered before one is written.", NO_BUILDER),
    "BLD-11": not_yet("A new agent comes with test cases from its conversation.", NO_BUILDER),
}

SKILLS = {
    "SKL-1": proven(
        "Skills of the standard are read, checked and written, and findings say where."
    ),
    "SKL-2": proven("A name is looked up nearest first: agent, tenant, public, global."),
    "SKL-3": proven(
        "A model sees a catalogue, then a body, then single files, and keeps bodies when compacted."
    ),
    "SKL-4": proven("A body is prepared in order: commands, placeholders, then its list of files."),
    "SKL-5": proven("What allowed-tools leaves out is neither offered nor carried out."),
    "SKL-6": proven("A skill's scripts run in a sandbox with limits only."),
    "SKL-7": proven("A run works from the bytes it pinned, whatever is edited meanwhile."),
    "SKL-8": proven("The documented classes for skills keep their names and do what they say."),
    "TOOL-1": proven("Arguments are checked, calls are limited, errors tell a model what to mend."),
    "TOOL-2": proven("The tools of any MCP server can be used."),
    "TOOL-3": proven(
        "Files, HTTP, tables, time, scripts and other agents are built-in tools with limits."
    ),
}

RUNNING = {
    "FR-4": proven("An agent may be a single skill."),
    "FR-7": proven("Skills run one after another, and each hands its output on as JSON."),
    "FR-11": proven(
        "Skills without a dependency on each other run side by side, up to a limit, and once an item."
    ),
    "FR-12": proven("Rules, not the model, decide whether a skill runs."),
    "EXE-1": proven(
        "The engine runs an agent or one skill and tells of each skill's beginning and end."
    ),
    "EXE-2": proven("A run's row tells its status, its skills' results, usage, cost and error."),
    "EXE-3": proven("A test runner gives dry runs and integration tests."),
    "EXE-4": proven("A skill that runs out of time ends in order and keeps what it has."),
    "RAC-1": proven("The executor tells what happens and ends with answer, usage and cost."),
    "RAC-2": proven("The loop ends on an answer or at a limit, and keeps what there is by then."),
    "RAC-3": proven(
        "Failures of models and tools are retried, told to the model, or end the skill."
    ),
    "RAC-4": proven("Models call tools natively or as JSON text, and a skill can ask a person."),
    "RAC-5": proven("A conversation is compacted before the window is full."),
    "DUR-1": proven(
        "Any process may be killed at any moment: no run and no recorded step is lost."
    ),
    "DUR-2": proven("An effect is sent once, or sent again safely, or a person is asked."),
    "DUR-3": proven("A run can be paused, resumed, steered, interrupted, cancelled and retried."),
    "DUR-4": proven(
        "A person allows, edits, refuses or asks back, once; the run waits without a worker, reminds, and"
        " no answer is not a no."
    ),
    "DUR-5": proven("A run can be replayed without a network, and forked."),
    "DUR-6": proven("A deploy breaks no run under way."),
    "BUD-1": proven(
        "Prices by model, date, tier and cache give each step, run, agent and workspace its cost."
    ),
    "BUD-2": proven("A call is paid for before it is made, and no cap of any level is passed."),
    "BUD-3": proven(
        "Over budget, a person is asked, and a program is told and goes on by leave only."
    ),
    "BUD-4": proven("A run and a month are estimated beforehand, with what the figures rest on."),
    "DRY-1": proven("A dry run holds every write and labels every answer."),
    "PAR-1": proven("Results of parallel skills are joined by id; usage and cost are added up."),
    "NFR-2": proven("Of a mixed suite with faults, more than 95 in 100 runs end as they should."),
    "NFR-5": proven("More than 100 runs are under way at once, and those of one workspace queue."),
}

RUNTIMES = {
    "ENG-1": not_yet(
        "Every runtime has one interface and says whether it is there.", NO_ENGINE_FACADE
    ),
    "ENG-2": not_yet("claude-code can carry a skill out, with our tools.", NO_ENGINE_FACADE),
    "ENG-3": not_yet("opencode can carry a skill out, in both of its forms.", NO_ENGINE_FACADE),
    "ENG-4": not_yet("The command-line runner works on its own.", NO_ENGINE_FACADE),
    "ENG-5": not_yet("A runtime of the same family takes over before an effect.", NO_ENGINE_FACADE),
    "ENG-6": proven("Runs follow a strategy that is chosen by rules."),
    "ENG-7": not_yet("An MCP server starts, shows, and stops runs.", "no MCP server yet"),
    "ENG-8": proven("An agent's history knows its records, cost and tokens."),
    "ENG-9": not_yet("A model's programs compose tools in a sandbox.", "not built"),
    "ENG-10": not_yet("The engine executes, and tells its runtimes and spend.", NO_ENGINE_FACADE),
    "SDK-1": not_yet("An agent in Python code runs, is tested and is deployed.", "not built"),
    "SDK-2": proven("The client lists, runs and watches agents, and raises typed errors."),
    "SDK-3": partly("The command line does what the API does.", "changing an agent"),
    "A2A-1": not_yet("Every agent has a card and takes tasks of other agents.", "not built"),
}

TRIGGERS = {
    "FR-9": proven("Agents run by a clock, through Temporal Schedules."),
    "NFR-4": partly(
        "Schedules fire on time, none twice and none missed.",
        "lateness is measured by `make fires`, and no test holds it",
    ),
    "FR-10": proven("Signed events of other services start runs, each once."),
}

TENANCY = {
    "FR-3": not_yet(
        "A person connects Notion, Slack, Linear or GitHub.",
        "all four connect by consent against local servers; none was tried at the real service",
    ),
    "INT-1": proven("OAuth is safe, and tokens are refreshed once and in time."),
    "INT-2": proven("Each integration has tools with effect classes and limits."),
    "INT-3": partly(
        "A run acts with the connection of the right person.", "connections of end customers"
    ),
    "SEC-1": partly(
        "Credentials are encrypted and nowhere in the clear.", "crash reports are not looked at"
    ),
    "SEC-2": partly(
        "Every route asks for a credential and a role.",
        "OIDC login, the console's session, SAML",
    ),
    "SEC-3": partly(
        "No tenant sees another's rows; foreign ids are not found.",
        "row-level security on PostgreSQL",
    ),
    "SEC-4": proven("Requests are limited in rate and size."),
    "SEC-5": not_yet("Data from outside cannot choose where a write goes.", "not built"),
    "SEC-6": proven("What passes through Temporal is encrypted, and operators can read it."),
    "SEC-7": partly(
        "Each tenant's keys come from a provider of keys.",
        "keys are this process's; no key service, no key of a tenant's own",
    ),
    "SHR-1": not_yet("Sharing decides who sees, runs and edits an agent.", "stored, not enforced"),
    "FR-8": not_yet("Public skills are searched, used, published and rated.", "not built"),
    "FR-13": not_yet("Organisations hand agents to their own customers.", "not built"),
    "NFR-6": not_yet("An agent serves 10,000 end customers.", "not built"),
}

QUALITY = {
    "WEB-1": not_yet("A console shows agents, runs and everything else.", "not built"),
    "OPS-1": not_yet("Logs, metrics and traces tell what happens.", "only logs are built"),
    "OPS-2": partly(
        "The compose file brings up PostgreSQL, Temporal, API and worker.",
        "a start of it in a test",
    ),
    "STA-1": proven(
        "An agent's usage figures are counted from its runs, without tests, replays and forks."
    ),
    "CFG-1": partly(
        "The documented settings are read under our prefix.", "those of the integrations"
    ),
    "OPS-3": proven("`omniforge doctor` and every start say what is wrong and what to do."),
    "NFR-3": not_yet("Coverage stays above its floors.", "the floors are not set yet"),
}

REQUIREMENTS: dict[str, Requirement] = (
    BUILDING | SKILLS | RUNNING | RUNTIMES | TRIGGERS | TENANCY | QUALITY
)
