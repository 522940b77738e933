"""{{ name }}: a to-do list in SQLite, which every rollout has to itself."""

import sqlite3
from pathlib import Path

from hud import Environment
from hud.graders import numeric_match
from hud.types import EvaluationResult, SubScore, ToolError

env = Environment("{{ name }}")

# In memory, so that nothing has to be cleaned up: each rollout runs in its own copy of the process.
db = sqlite3.connect(":memory:")
db.row_factory = sqlite3.Row


def seed() -> None:
    """Put the database into the state that every task starts from."""
    db.executescript(Path("fixtures/seed.sql").read_text())


def todos() -> list[dict]:
    """All to-dos, in the order in which they were added."""
    return [dict(row) for row in db.execute("SELECT * FROM todos ORDER BY id")]


@env.tool()
def list_todos() -> list[dict]:
    """List all to-dos."""
    return todos()


@env.tool()
def add_todo(title: str) -> dict:
    """Add a to-do."""
    added = db.execute("INSERT INTO todos (title) VALUES (?)", (title,)).lastrowid
    return {"id": added, "title": title, "done": 0}


@env.tool()
def complete_todo(id: int) -> str:
    """Mark a to-do as done."""
    if db.execute("UPDATE todos SET done = 1 WHERE id = ?", (id,)).rowcount == 0:
        raise ToolError(f"There is no to-do {id}.")
    return f"{id} is done."


@env.scenario("finish")
async def finish(title: str):
    """Mark one to-do as done, and leave the others alone."""
    seed()
    before = todos()

    _ = yield f"Mark the to-do '{title}' as done."

    wanted = [{**row, "done": 1} if row["title"] == title else row for row in before]
    after = todos()
    finished = any(row["title"] == title and row["done"] for row in after)
    exactly = after == wanted
    yield EvaluationResult(
        reward=0.6 * finished + 0.4 * exactly,
        subscores=[
            SubScore(name="finished", weight=0.6, value=finished),
            SubScore(name="nothing-else-changed", weight=0.4, value=exactly),
        ],
    )


@env.scenario("count-open")
async def count_open():
    """Ask how many to-dos are open."""
    seed()
    answer = yield "How many to-dos are still open? Reply with the number."
    yield numeric_match(answer, sum(not row["done"] for row in todos()))
