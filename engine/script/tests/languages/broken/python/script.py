"""Prints, answers, and trips over its own mistake."""

import random
import time


def on_call(caller):
    print(int(time.time()), random.random() < 1)
    caller.answer()
    second([])


def second(agents):
    return 1 / len(agents)
