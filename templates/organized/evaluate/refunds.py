"""Was the right order refunded, and nothing else?"""

from hud.types import EvaluationResult, SubScore
from setup.shop import db, payments


def grade_refund(customer: str, item: str) -> EvaluationResult:
    """Most of the reward is for the right refund, the rest for no other."""
    wanted = db.execute("SELECT id, cents FROM orders WHERE customer = ? AND item = ?", (customer, item)).fetchone()
    is_refunded = tuple(wanted) in payments.refunds
    is_only_one = payments.refunds == [tuple(wanted)]
    return EvaluationResult(
        reward=0.7 * is_refunded + 0.3 * is_only_one,
        subscores=[
            SubScore(name="refunded", weight=0.7, value=is_refunded),
            SubScore(name="nothing-else", weight=0.3, value=is_only_one),
        ],
    )
