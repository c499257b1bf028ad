"""Small modules, short functions, few parameters, and no room without a purpose in its name."""

from __future__ import annotations

import ast

from tests.guards.source_tree import Function, functions, modules

MODULE_LINES = 400
FUNCTION_LINES = 60  # without the docstring
PARAMETERS = 8  # without self and cls
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc"}


def _lines(node: Function) -> int:
    first = node.body[0]
    documented = ast.get_docstring(node, clean=False) is not None
    return node.end_lineno - node.lineno + 1 - (first.end_lineno - first.lineno + 1 if documented else 0)


def _parameters(node: Function) -> int:
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return len([one for one in given if one.arg not in ("self", "cls")])


def _functions() -> list[tuple[str, Function]]:
    return [(f"{module.relative}:{name}", node) for module in modules() for name, node in functions(module)]


def test_modules_are_small():
    lengths = {module.relative: len(module.text.splitlines()) for module in modules()}
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_functions_fit_on_a_screen():
    lengths = {name: _lines(node) for name, node in _functions()}
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_functions_take_few_parameters():
    counts = {name: _parameters(node) for name, node in _functions()}
    assert {name: count for name, count in counts.items() if count > PARAMETERS} == {}


def test_every_module_says_in_its_name_what_it_is_for():
    names = {module.relative: module.name.rpartition(".")[2].strip("_") for module in modules()}
    assert {path: name for path, name in names.items() if name in NAMELESS} == {}
