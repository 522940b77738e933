"""A database in memory, and a payment service that only remembers what it was asked to do."""

import sqlite3
from pathlib import Path

SEED = Path(__file__).with_name("orders.sql")

db = sqlite3.connect(":memory:")
db.row_factory = sqlite3.Row


class Payments:
    """In the place of the real service, which would move money."""

    def __init__(self) -> None:
        self.refunds: list[tuple[int, int]] = []

    def refund(self, order_id: int, cents: int) -> None:
        self.refunds.append((order_id, cents))


payments = Payments()


def open_shop() -> None:
    """Put everything into the state that every task starts from."""
    db.executescript(SEED.read_text())
    payments.refunds.clear()


# So that the tools answer before any scenario was set up, as with `hud dev`.
open_shop()
