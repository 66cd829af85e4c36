"""Changes requests of agents before schemathesis sends them, so that most of them refer to existing chats."""

import itertools
from pathlib import Path

import schemathesis

# The example of the document.
EXAMPLE = "39a98e24-b03b-4191-b756-1efe8f3b16b8"


def chats(name):
    """The ids that seed.py has written."""
    lines = Path("target/api", name).read_text().split()
    return itertools.cycle([line.strip('"') for line in lines])


CHATS, MORTAL = chats("chats.txt"), chats("mortal-chats.txt")


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    parameters = dict(case.path_parameters or {})
    if parameters.get("id") == EXAMPLE:
        parameters["id"] = next(MORTAL if operation == "endChat" else CHATS)
        case.path_parameters = parameters
