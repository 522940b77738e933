"""{{ name }}: a support assistant to chat with, and a scenario that tests what it can do."""

from typing import Any

from hud import Environment
from hud.graders import contains
from hud.types import ToolError

# Stands in for the system that knows the customers.
ACCOUNTS = {
    "ABC-123": {"owner": "Robin Vale", "plan": "Team", "open_invoices": 1},
    "XYZ-789": {"owner": "Noor Haas", "plan": "Free", "open_invoices": 0},
}

INSTRUCTIONS = (
    "You are the support assistant of a small software company. Look accounts up with the tool before "
    "you say anything about them, and be brief. The conversation so far follows."
)

env = Environment("{{ name }}")


@env.tool()
def lookup_account(account_id: str) -> dict:
    """Show the owner, the plan and the open invoices of an account."""
    if account_id not in ACCOUNTS:
        raise ToolError(f"There is no account {account_id}.")
    return ACCOUNTS[account_id]


@env.scenario("help", chat=True)
async def help_chat(messages: list[dict[str, Any]] | None = None):
    """Talk with the support assistant: each turn runs this with the whole conversation."""
    answer = yield [INSTRUCTIONS, *(messages or [])]
    # A chat has no right answer. That there was one at all is what counts here.
    yield 1.0 if answer else 0.0


@env.scenario("plan-of")
async def plan_of(account_id: str):
    """Check that the assistant finds the plan of an account."""
    answer = yield f"{INSTRUCTIONS}\n\nWhich plan does the account {account_id} have?"
    yield contains(answer, ACCOUNTS[account_id]["plan"])
