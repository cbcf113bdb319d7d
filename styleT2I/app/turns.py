"""How the page's events run: one request computes at a time, and what is wrong with it is one line on the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps

import gradio as gr

from styleT2I.errors import StyleT2IError

__all__ = ["AT_ONCE", "TURN", "told", "told_in_parts"]

AT_ONCE = {"concurrency_limit": None, "api_visibility": "private"}  # for what takes no time to speak of
TURN = {"concurrency_id": "turn", "concurrency_limit": 1, "api_visibility": "private"}  # one request computes at a time


def told(function: Callable, *given) -> Callable:
    """A function whose errors of the user's are one line on the page; given: its first arguments.

    Without `given` its annotations stay, by which Gradio knows where a gr.Request or gr.EventData goes.
    """

    def call(*arguments):
        try:
            return function(*given, *arguments)
        except StyleT2IError as error:
            raise gr.Error(str(error), print_exception=False) from None

    return call if given else wraps(function)(call)


def told_in_parts(function: Callable[..., Iterator], *given) -> Callable:
    """The same of a function that yields."""

    def call(*arguments):
        try:
            yield from function(*given, *arguments)
        except StyleT2IError as error:
            raise gr.Error(str(error), print_exception=False) from None

    return call
