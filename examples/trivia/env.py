"""Trivia: one tool, one scenario, graded by comparing initials.

The smallest environment that still needs a tool: the model is asked for initials, and the names
behind them are in `CEOS`, which it can only reach through `lookup_ceo`. There is no state, so two
rollouts could share one copy and never notice. The table is made for the example; it is not kept
up to date with who runs which company.
"""

import hud

CEOS = {
    "hud": "Jay Ram",
    "openai": "Sam Altman",
    "anthropic": "Dario Amodei",
    "nvidia": "Jensen Huang",
    "microsoft": "Satya Nadella",
    "google": "Sundar Pichai",
    "amd": "Lisa Su",
    "cloudflare": "Matthew Prince",
}

env = hud.Environment("trivia")


@env.tool()
def lookup_ceo(company: str) -> str:
    """Look up the CEO of a company."""
    return CEOS.get(company.lower(), "Unknown")


@env.scenario("initials")
async def find_initials(company: str):
    """Ask for the initials of a company's CEO."""
    answer = yield f"What are the initials of the CEO of {company}?"
    ceo = CEOS.get(company.lower())
    correct = "".join(word[0] for word in ceo.split()) if ceo else None
    # An unknown company has no right answer, so it never pays, whatever the model guesses.
    yield 1.0 if answer and correct and correct in answer.upper() else 0.0


task = env("initials", company="HUD")
