"""Looking orders up, and giving money back."""

from env import env
from hud.types import ToolError
from setup.shop import db, payments


@env.tool()
def find_orders(customer: str) -> list[dict]:
    """List the orders of a customer: number, item, price in cents, status."""
    found = db.execute("SELECT id, item, cents, status FROM orders WHERE customer = ? ORDER BY id", (customer,))
    return [dict(row) for row in found]


@env.tool()
def refund_order(order_id: int) -> str:
    """Give a customer the whole price of an order back."""
    order = db.execute("SELECT cents, status FROM orders WHERE id = ?", (order_id,)).fetchone()
    if order is None:
        raise ToolError(f"There is no order {order_id}.")
    if order["status"] == "refunded":
        raise ToolError(f"Order {order_id} was refunded before.")
    payments.refund(order_id, order["cents"])
    db.execute("UPDATE orders SET status = 'refunded' WHERE id = ?", (order_id,))
    return f"Order {order_id} is refunded: {order['cents'] / 100:.2f}."
