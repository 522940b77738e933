"""Questions about orders, with one right answer."""

from env import env
from evaluate.questions import total_of
from hud.graders import numeric_match
from setup.shop import open_shop


@env.scenario("total")
async def total(customer: str):
    """Ask what a customer has ordered for."""
    open_shop()
    answer = yield f"What do all orders of {customer} cost together? Reply with the sum, such as 12.50."
    yield numeric_match(answer, total_of(customer))
