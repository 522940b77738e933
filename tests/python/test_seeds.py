"""The environments of the documentation that the product was specified by run as they stand there."""

from __future__ import annotations

import json
import unittest

from client import Worker

SUPPORT = """
from typing import Any
from hud import Environment

env = Environment("support")

@env.scenario("help", chat=True)
async def help_chat(messages: list[dict[str, Any]] | None = None):
    messages = messages or []
    yield f"You said: {messages[-1]['content'] if messages else 'nothing yet'}"
    yield 1.0
"""

TRIVIA = '''
import hud

CEOS = {"hud": "Jay Ram", "openai": "Sam Altman", "anthropic": "Dario Amodei"}

env = hud.Environment("trivia")

@env.tool()
def lookup_ceo(company: str) -> str:
    """Look up the CEO of a company."""
    return CEOS.get(company.lower(), "Unknown")

@env.scenario("initials")
async def find_initials(company: str):
    answer = yield f"What are the initials of the CEO of {company}?"
    ceo = CEOS.get(company.lower())
    correct = "".join(word[0] for word in ceo.split()) if ceo else None
    yield 1.0 if answer and correct and correct in answer.upper() else 0.0

task = env("initials", company="HUD")
'''

ORDERS = """
import sqlite3
from pathlib import Path
from hud import Environment

env = Environment("my-env")

db = sqlite3.connect(":memory:")  # Fresh per eval

@env.tool()
def set_status(order_id: str, status: str) -> int:
    return db.execute("UPDATE orders SET status=? WHERE id=?", (status, order_id)).rowcount

@env.scenario("update-order")
async def update_order(order_id: str):
    db.executescript(Path("fixtures/orders.sql").read_text())  # Seed
    answer = yield f"Update order {order_id} to shipped"
    row = db.execute("SELECT status FROM orders WHERE id=?", (order_id,)).fetchone()
    yield 1.0 if row and row[0] == "shipped" else 0.0
"""

REFUNDS = """
from pathlib import Path
from hud import Environment

env = Environment("refunds")

class Transaction:
    async def start(self):
        Path("log.txt").write_text("start")
    async def rollback(self):
        with open("log.txt", "a") as file:
            file.write(" rollback")

@env.scenario("process-refund")
async def process_refund(order_id: str):
    tx = Transaction()
    await tx.start()
    try:
        answer = yield f"Process refund for order {order_id}"
        reward = 1.0 if answer == "done" else 0.0
        yield reward
    finally:
        await tx.rollback()  # Always undo
"""

CHECKOUT = """
from hud import Environment

env = Environment("shop")

class MockPaymentService:
    def __init__(self):
        self.charges = []

    async def charge(self, amount: int, card_token: str) -> dict:
        self.charges.append({"amount": amount, "token": card_token})
        return {"success": True, "id": f"ch-{len(self.charges)}"}

payments = MockPaymentService()
env.add_tool(payments.charge)

@env.scenario("checkout")
async def checkout(cart_total: int):
    _ = yield f"Complete checkout for ${cart_total}"
    yield 1.0 if any(c["amount"] == cart_total for c in payments.charges) else 0.0
"""

# A script beside an environment, as "Pattern 1: No Docker" shows it.
LOCAL_TEST = """
import asyncio
from env import env

async def test():
    async with env:
        result = await env.call_tool("lookup_ceo", company="hud")
        print(result.content[0].text)

asyncio.run(test())
"""


class Seeds(unittest.TestCase):
    def test_support(self) -> None:
        with Worker(SUPPORT) as worker:
            client = worker.connect()
            messages = json.dumps([{"role": "user", "content": "hello"}])
            self.assertEqual(client.prompt("support:help", messages=messages), "You said: hello")
            self.assertEqual(client.grade("support:help")["reward"], 1.0)

    def test_trivia(self) -> None:
        with Worker(TRIVIA) as worker:
            self.assertEqual(
                worker.describe["tasks"],
                [{"env": "trivia", "scenario": "initials", "args": {"company": "HUD"}, "variable": "task"}],
            )
            for answer, reward in (("The initials are jr", 1.0), ("XY", 0.0), ("", 0.0)):
                client = worker.connect()
                client.setup("trivia:initials", company="HUD")
                client.submit("initials", answer)
                self.assertEqual(client.grade("trivia:initials")["reward"], reward)

    def test_orders_in_a_database_that_was_opened_at_import(self) -> None:
        files = {
            "env.py": ORDERS,
            "fixtures/orders.sql": "CREATE TABLE orders (id TEXT, status TEXT); INSERT INTO orders VALUES ('7', 'new');",
        }
        with Worker(files) as worker:
            one, two = worker.connect(), worker.connect()
            for client in (one, two):
                client.setup("my-env:update-order", order_id="7")
            self.assertEqual(one.text("set_status", order_id="7", status="shipped"), "1")
            self.assertEqual(one.grade("my-env:update-order")["reward"], 1.0)
            self.assertEqual(two.grade("my-env:update-order")["reward"], 0.0)

    def test_refunds_are_always_rolled_back(self) -> None:
        with Worker(REFUNDS) as worker:
            client = worker.connect()
            client.setup("refunds:process-refund", order_id="1")
            self.assertEqual((worker.folder / "log.txt").read_text(), "start")
            worker.end(client)
            self.assertEqual((worker.folder / "log.txt").read_text(), "start rollback")

    def test_checkout_with_a_service_that_remembers(self) -> None:
        with Worker(CHECKOUT) as worker:
            one, two = worker.connect(), worker.connect()
            for client in (one, two):
                client.setup("shop:checkout", cart_total="30")
            self.assertEqual(one.call("charge", amount=30, card_token="t")["structuredContent"]["id"], "ch-1")
            self.assertEqual(two.call("charge", amount=5, card_token="t")["structuredContent"]["id"], "ch-1")
            self.assertEqual(one.grade("shop:checkout")["reward"], 1.0)
            self.assertEqual(two.grade("shop:checkout")["reward"], 0.0)

    def test_a_local_script(self) -> None:
        import os
        import subprocess
        import sys
        import tempfile

        from client import PACKAGE

        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("env.py", TRIVIA), ("local_test.py", LOCAL_TEST)):
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
            done = subprocess.run(
                [sys.executable, "local_test.py"],
                cwd=folder,
                env={"PYTHONPATH": PACKAGE},
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual((done.stdout, done.stderr), ("Jay Ram\n", ""))


if __name__ == "__main__":
    unittest.main()
