"""The table of suites: every address in it is a function that takes what the command passes."""

import inspect

import pytest

from styleT2I.evaluation.suites import SUITES, Request, load


@pytest.mark.parametrize("name", SUITES)
def test_every_function_of_a_suite_takes_one_request_or_one_mapping_of_metrics(name):
    suite = SUITES[name]
    for address in filter(None, (suite.run, suite.prepare, suite.grid)):
        (parameter,) = inspect.signature(load(address)).parameters.values()
        assert parameter.name == "request", address
    if suite.table:
        assert len(inspect.signature(load(suite.table)).parameters) == 1


def test_the_table_loads_without_torch_and_without_any_suite(run_python):
    code = (
        "import sys, styleT2I.evaluate; print('torch' in sys.modules, 'styleT2I.evaluation.suites.t2d' in sys.modules)"
    )
    result = run_python("-c", code)
    assert result.stdout.strip() == "False False", result.stderr


def test_a_request_has_no_options_unless_given():
    assert Request(None).options == {} and Request(None).num is None
