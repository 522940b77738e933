"""Checkout: a payment provider that charges nobody and remembers everything.

The mock keeps what was charged and refunded, and the scenarios are graded on that record: an agent
that only claims to have paid gets nothing. The state is a plain Python object. It needs no reset,
because every rollout has its own copy of the process. Amounts are whole dollars; there is one cart.
"""

import asyncio

from hud import Environment
from hud.types import EvaluationResult, SubScore, ToolError

env = Environment("checkout")

# Tokens of saved cards, and whether the bank accepts a charge on them.
CARDS = {"tok-visa": True, "tok-amex": True, "tok-expired": False}


class MockPaymentService:
    """Stands in for the payment provider, with its delays and its refusals."""

    def __init__(self) -> None:
        self.charges: list[dict] = []
        self.attempts = 0

    async def charge(self, amount: int, card_token: str) -> dict:
        # The real provider is reached over the network, so other tools may run in the meantime.
        await asyncio.sleep(0.001)
        self.attempts += 1
        if amount <= 0:
            raise ToolError("The amount must be positive.")
        if card_token not in CARDS:
            raise ToolError(f"Unknown card {card_token}; saved cards: {', '.join(CARDS)}.")
        if not CARDS[card_token]:
            return {"success": False, "error": "card_declined"}
        charge = {"id": f"ch-{len(self.charges) + 1}", "amount": amount, "token": card_token, "refunded": False}
        self.charges.append(charge)
        return {"success": True, "id": charge["id"]}

    def refund(self, charge_id: str) -> dict:
        for charge in self.charges:
            if charge["id"] == charge_id:
                if charge["refunded"]:
                    raise ToolError(f"{charge_id} was refunded before.")
                charge["refunded"] = True
                return {"success": True, "id": charge_id, "amount": charge["amount"]}
        raise ToolError(f"There is no charge {charge_id}.")

    def balance(self) -> int:
        """What was charged and not given back."""
        return sum(charge["amount"] for charge in self.charges if not charge["refunded"])


payments = MockPaymentService()


@env.tool()
def list_cards() -> list[str]:
    """List the tokens of the saved cards, the preferred one first."""
    return list(CARDS)


@env.tool()
async def charge_card(amount: int, card_token: str) -> dict:
    """Charge a saved card. The result says whether the bank accepted it."""
    return await payments.charge(amount, card_token)


@env.tool()
def refund_charge(charge_id: str) -> dict:
    """Give the money of a charge back, all of it."""
    return payments.refund(charge_id)


@env.tool()
def list_charges() -> dict:
    """List the charges so far and their balance."""
    return {"charges": payments.charges, "balance": payments.balance()}


@env.scenario("checkout")
async def checkout(cart_total: int):
    """Pay for a cart."""
    _ = yield f"Complete checkout for ${cart_total}"
    yield 1.0 if any(c["amount"] == cart_total for c in payments.charges) else 0.0


@env.scenario("declined-card")
async def declined_card(cart_total: int):
    """The customer's first choice is declined; pay once, with another card."""
    _ = yield (
        f"Charge ${cart_total} to the card tok-expired. If the bank declines it, use another saved card. "
        "The customer must be charged exactly once."
    )
    once = [charge["amount"] for charge in payments.charges] == [cart_total]
    tried = payments.attempts > len(payments.charges)
    yield EvaluationResult(
        reward=0.8 * once + 0.2 * tried,
        content=f"charges: {len(payments.charges)}, attempts: {payments.attempts}",
        info={"charges": payments.charges},
        subscores=[
            SubScore(name="charged-once", weight=0.8, value=once),
            SubScore(name="tried-first-choice", weight=0.2, value=tried),
        ],
    )


@env.scenario("double-charge")
async def double_charge(amount: int):
    """A customer was charged twice; give one of the charges back."""
    await payments.charge(amount, "tok-visa")
    await payments.charge(amount + 15, "tok-amex")
    await payments.charge(amount, "tok-visa")

    answer = yield (
        f"A customer complains that ${amount} was charged twice. Refund one of the two charges "
        "and reply with the id of the refunded charge."
    )

    refunded = [charge for charge in payments.charges if charge["refunded"]]
    right = len(refunded) == 1 and refunded[0]["amount"] == amount and len(payments.charges) == 3
    yield 1.0 if right and answer and refunded[0]["id"] in answer else 0.0
