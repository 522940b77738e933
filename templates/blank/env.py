"""{{ name }}: what an agent can do here, and how its work is graded."""

from hud import Environment

env = Environment("{{ name }}")


@env.tool()
def shout(text: str) -> str:
    """Turn a text into capital letters."""
    return text.upper()


@env.scenario("shout-it")
async def shout_it(text: str):
    """Have a text turned into capital letters."""
    # Everything before the first yield prepares the task; what is yielded is the agent's prompt.
    answer = yield f"Use the tool `shout` on this text and reply with its result only: {text}"
    # What is yielded last is the reward, from 0 to 1.
    yield 1.0 if answer and answer.strip() == text.upper() else 0.0
