"""Money goes back to the right customer, for the right order, once."""

from env import env
from evaluate.refunds import grade_refund
from setup.shop import open_shop


@env.scenario("refund")
async def refund(customer: str, item: str):
    """Refund one order of a customer, and leave all others alone."""
    open_shop()
    _ = yield f"{customer} wants the money back for the {item}. Refund that order."
    yield grade_refund(customer, item)
