"""Parameters of a notebook: declared once as literals, checked before anything runs.

papermill takes an unknown name with a warning and a wrong type without one, and then reports on the default
values. Here each is an error that names the notebook and the parameter.
"""

from __future__ import annotations

import ast
import difflib
import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medhome.reporting.failures import NotebookDefect
from medhome.study.problems import StudyFileError

if TYPE_CHECKING:
    from nbformat import NotebookNode

_TYPES: dict[str, type] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "list": list,
    "dict": dict,
    "None": type(None),
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
# Magics that hide output or print times; a tag that lets a notebook go on after an error.
_REFUSED_MAGIC = re.compile(r"^\s*(%%?(?:capture|time|timeit|prun))\b", re.MULTILINE)
SECRET = re.compile(r"passw|passphrase|secret|token|api_?key|private_?key|credential", re.IGNORECASE)
"""Names of what must not be seen in a report: parameters and environment variables alike."""

_REFUSED_TAGS = ("raises-exception", "skip-execution", "injected-parameters")


def check_notebook(notebook: NotebookNode, name: str) -> dict[str, tuple[Any, frozenset[type]]]:
    """The declared parameters of a report notebook: name -> (default, allowed types).

    Raises `NotebookDefect` unless exactly one code cell is tagged "parameters" and holds nothing but names
    set to literals, and no cell hides its output, times itself or goes on after an error.
    """
    for number, cell in enumerate(notebook.cells, start=1):
        tags = cell.metadata.get("tags", [])
        for tag in _REFUSED_TAGS:
            if tag in tags:
                raise NotebookDefect(
                    f'{name}, cell {number}: the tag "{tag}" is not allowed in a '
                    "report notebook; take it away"
                )
        magic = _REFUSED_MAGIC.search(cell.source) if cell.cell_type == "code" else None
        if magic:
            raise NotebookDefect(
                f"{name}, cell {number}: {magic[1]} is not allowed in a report notebook: "
                "it hides warnings and tables, or prints a time; take it away"
            )
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise NotebookDefect(
            f'{name}: {len(tagged) or "no"} cells are tagged "parameters"; '
            "exactly one must be, and it declares every parameter with its default"
        )
    if tagged[0].cell_type != "code":
        raise NotebookDefect(f'{name}: the cell tagged "parameters" is not a code cell')
    return _declared(tagged[0].source, name)


def check_values(
    declared: Mapping[str, tuple[Any, frozenset[type]]], values: Mapping[str, Any], name: str
) -> None:
    """Raise `StudyFileError` for a value under an unknown name, of the wrong type or not plain data."""
    for key, value in values.items():
        if key not in declared:
            near = difflib.get_close_matches(key, declared, n=1)
            known = ", ".join(declared) or "none"
            hint = f'did you mean "{near[0]}"?' if near else f"its parameters are: {known}"
            raise StudyFileError(f"{name}: unknown parameter {key!r}; {hint}")
        allowed = declared[key][1]
        if not _fits(value, allowed):
            wanted = " or ".join(sorted(_NAMES[kind] for kind in allowed))
            raise StudyFileError(
                f"{name}: parameter {key} = {value!r} is a {type(value).__name__}; "
                f"it must be {wanted}{_advice(value)}"
            )
        _check_plain(value, key, name)


def injected_source(values: Mapping[str, Any]) -> str:
    """The code of the cell that papermill adds, the same whatever formatters are installed.

    >>> print(injected_source({"run": ".", "months": [1, None]}))
    # Parameters
    run = "."
    months = [1, None]
    """
    return "\n".join(["# Parameters", *(f"{key} = {_literal(value)}" for key, value in values.items())])


def _declared(source: str, name: str) -> dict[str, tuple[Any, frozenset[type]]]:
    where = f"{name}, parameters cell"
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise NotebookDefect(f"{where}, line {error.lineno}: not Python ({error.msg})") from None
    found: dict[str, tuple[Any, frozenset[type]]] = {}
    for statement in statements:
        line = f"{where}, line {statement.lineno}"
        annotation: ast.expr | None = None
        target: ast.expr | None = None
        value: ast.expr | None = None
        if isinstance(statement, ast.AnnAssign):
            target, value, annotation = statement.target, statement.value, statement.annotation
        elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        if not isinstance(target, ast.Name) or value is None:
            raise NotebookDefect(
                f"{line}: only `name = literal` may stand here; a value derived "
                "from a parameter would keep the default's value"
            )
        if SECRET.search(target.id):
            raise NotebookDefect(
                f"{line}: {target.id} would stand in the executed notebook, twice; a secret is no parameter, "
                "name a file or an environment variable"
            )
        try:
            default = ast.literal_eval(value)
        except ValueError:
            raise NotebookDefect(
                f"{line}: {target.id} is not set to a literal; derive values in a later "
                "cell, or they keep the default's value"
            ) from None
        if target.id in found:
            raise NotebookDefect(f"{line}: {target.id} is set twice")
        if type(default) not in _NAMES:
            raise NotebookDefect(
                f"{line}: {target.id} is a {type(default).__name__}; parameters are {', '.join(_TYPES)}"
            )
        if annotation is None:
            allowed = frozenset[type]({str, type(None)} if default is None else {type(default)})
        else:
            allowed = _annotated(annotation, line)
            if not _fits(default, allowed):
                raise NotebookDefect(f"{line}: the default of {target.id} is not {ast.unparse(annotation)}")
        found[target.id] = (default, allowed)
    return found


def _annotated(node: ast.expr, line: str) -> frozenset[type]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _annotated(node.left, line) | _annotated(node.right, line)
    base = node.value if isinstance(node, ast.Subscript) else node
    word = ast.unparse(base)
    if word not in _TYPES:
        raise NotebookDefect(
            f"{line}: {ast.unparse(node)!r} is not a type of parameters; these are {', '.join(_TYPES)}"
        )
    return frozenset({_TYPES[word]})


def _fits(value: Any, allowed: frozenset[type]) -> bool:
    return type(value) in allowed or (type(value) is int and float in allowed)


def _advice(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return "; give a date as text, YYYY-MM-DD"
    if hasattr(value, "__fspath__"):
        return "; give a path as text"
    if isinstance(value, tuple):
        return "; give a list"
    return ""


def _check_plain(value: Any, key: str, name: str) -> None:
    """Refuse what would change its type on the way into the notebook."""
    if isinstance(value, list):
        for item in value:
            _check_plain(item, key, name)
    elif isinstance(value, dict):
        for label, item in value.items():
            if not isinstance(label, str):
                raise StudyFileError(f"{name}: parameter {key} holds the key {label!r}; keys must be text")
            _check_plain(item, key, name)
    elif isinstance(value, float) and not math.isfinite(value):
        raise StudyFileError(f"{name}: parameter {key} holds {value!r}; numbers must be finite")
    elif type(value) not in _NAMES:
        raise StudyFileError(
            f"{name}: parameter {key} holds {value!r}, a {type(value).__name__}; "
            f"only text, numbers, true or false, None, lists and dicts of these can be given{_advice(value)}"
        )


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(_literal(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(k)}: {_literal(v)}" for k, v in value.items()) + "}"
    return repr(value)
