"""{{ name }}: questions about capitals, which an agent answers with a lookup tool."""

from hud import Environment
from hud.graders import combine, contains
from hud.types import SubScore

# What the agent cannot know without asking: replace it with your own data.
CAPITALS = {
    "france": "Paris",
    "japan": "Tokyo",
    "kenya": "Nairobi",
    "peru": "Lima",
}

env = Environment("{{ name }}")


@env.tool()
def lookup_capital(country: str) -> str:
    """Look up the capital of a country."""
    return CAPITALS.get(country.lower(), "unknown")


@env.scenario("capital")
async def capital(country: str):
    """Ask for the capital of a country."""
    answer = yield f"What is the capital of {country}? Reply with the name only."
    expected = CAPITALS[country.lower()]
    yield await combine(
        SubScore(name="correct", weight=0.8, value=contains(answer, expected)),
        SubScore(name="name-only", weight=0.2, value=1.0 if (answer or "").strip() == expected else 0.0),
    )


@env.scenario("first-letters")
async def first_letters(countries: list[str]):
    """Ask for the first letters of several capitals, in order."""
    answer = yield f"Write down the first letters of the capitals of {', '.join(countries)}, in this order."
    expected = "".join(CAPITALS[country.lower()][0] for country in countries)
    yield 1.0 if answer and expected in answer.upper() else 0.0
