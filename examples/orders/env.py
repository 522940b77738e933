"""Orders: an agent works on a SQLite database that starts anew in every rollout.

The database lives in memory and is opened once, at import. Every rollout runs in its own copy of the
process, so every rollout has a database of its own, and the fixture puts it into its first state. The
tools offer no free SQL on purpose: what an agent may do here is what a shop's API would let it do.
"""

import sqlite3
from pathlib import Path
from typing import Literal

from hud import Environment
from hud.graders import combine, numeric_match
from hud.types import EvaluationResult, SubScore, ToolError

Status = Literal["pending", "shipped", "cancelled"]

env = Environment("orders")

db = sqlite3.connect(":memory:")
db.row_factory = sqlite3.Row


def seed() -> None:
    """Put the database into the state that every task starts from."""
    db.executescript(Path("fixtures/orders.sql").read_text())


def rows(sql: str, *values: str | None) -> list[dict]:
    """Run a query and give its rows as dictionaries."""
    return [dict(row) for row in db.execute(sql, values)]


@env.tool()
def find_orders(customer: str | None = None, status: Status | None = None) -> list[dict]:
    """List orders, all of them or those of a customer or with a status. Prices are in cents."""
    return rows(
        "SELECT * FROM orders WHERE customer = coalesce(?, customer) AND status = coalesce(?, status) ORDER BY id",
        customer,
        status,
    )


@env.tool()
def get_order(order_id: str) -> dict:
    """Show one order."""
    found = rows("SELECT * FROM orders WHERE id = ?", order_id)
    if not found:
        raise ToolError(f"There is no order {order_id}.")
    return found[0]


@env.tool()
def set_status(order_id: str, status: Status) -> dict:
    """Change the status of an order. Cancelled orders stay cancelled."""
    if get_order(order_id)["status"] == "cancelled":
        raise ToolError(f"Order {order_id} is cancelled and cannot be changed.")
    db.execute("UPDATE orders SET status = ? WHERE id = ?", (status, order_id))
    return get_order(order_id)


@env.scenario("update-order")
async def update_order(order_id: str):
    """Mark a single order as shipped."""
    seed()
    _ = yield f"Update order {order_id} to shipped"
    row = db.execute("SELECT status FROM orders WHERE id = ?", (order_id,)).fetchone()
    yield 1.0 if row and row["status"] == "shipped" else 0.0


@env.scenario("ship-all")
async def ship_all(customer: str):
    """Ship everything a customer waits for, and nothing else."""
    seed()
    before = {row["id"]: row for row in rows("SELECT * FROM orders")}
    due = [id for id, row in before.items() if row["customer"] == customer and row["status"] == "pending"]

    _ = yield f"Ship every pending order of {customer}. Leave all other orders as they are."

    after = {row["id"]: row for row in rows("SELECT * FROM orders")}
    shipped = sum(after[id]["status"] == "shipped" for id in due) / len(due) if due else 1.0
    disturbed = [id for id in before if id not in due and after[id] != before[id]]
    # An agent that ships everything it finds gets part of the reward, never all of it.
    untouched = 0.0 if disturbed else 1.0
    yield EvaluationResult(
        reward=0.7 * shipped + 0.3 * untouched,
        content=f"{shipped:.0%} of {len(due)} orders shipped; disturbed: {', '.join(disturbed) or 'none'}",
        subscores=[
            SubScore(name="shipped", weight=0.7, value=shipped),
            SubScore(name="others-untouched", weight=0.3, value=untouched),
        ],
    )


@env.scenario("revenue")
async def revenue(customer: str):
    """Ask for a sum that has to be put together from several orders, in euros."""
    seed()
    answer = yield (
        f"How much are the orders of {customer} worth in total, in euros? "
        "Cancelled orders do not count. Reply with the amount only."
    )
    total = db.execute(
        "SELECT sum(cents) FROM orders WHERE customer = ? AND status != 'cancelled'", (customer,)
    ).fetchone()[0]
    yield await combine(
        SubScore(name="amount", weight=0.9, value=numeric_match(answer, total / 100, tolerance=0.005)),
        # "Only the amount" was part of the question, and a long text is a small fault, not a wrong sum.
        SubScore(name="short", weight=0.1, value=1.0 if answer and len(answer) <= 20 else 0.0),
    )
