"""The scan of the package's sources for what makes two runs differ: clock, chance, order of sets and folders.

The executed notebooks and pages of every run are scanned too, for what only shows there: addresses, paths of
temporary files, durations, today's date (`medhome.reporting.normalise`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

ALLOWED = {
    ("runs.py", "time.perf_counter"): "durations for run-log.json, which is never hashed",
    ("reporting/normalise.py", "dt.date.today"): "looks for today's date, to refuse it",
    ("reporting/publish.py", "root.iterdir"): "removes links; the order leaves no trace",
    ("reporting/publish.py", "runs.iterdir"): "removes folders; the order leaves no trace",
}
"""Where and what: why it is no source of difference."""

CLOCK = re.compile(
    r"^(time\.(time|time_ns|perf_counter|process_time|monotonic|localtime|gmtime|ctime|asctime|strftime)"
    r"|(dt\.|datetime\.)*(datetime\.(now|utcnow|today)|date\.today)|pd\.Timestamp\.(now|today|utcnow))$"
)
CHANCE = re.compile(
    r"^((np|numpy)\.random\.(?!default_rng$|Generator$|SeedSequence$|PCG64$)\w+|random\.\w+|uuid\.\w+|secrets\.\w+"
    r"|os\.urandom)$"
)
ANY_ORDER = re.compile(r"(^|\.)(as_completed|imap_unordered|FIRST_COMPLETED)$")
FOLDERS = re.compile(r"^(os\.(listdir|scandir|walk)|glob\.i?glob)$|\.(iterdir|glob|rglob|walk)$")
SQL = re.compile(r"\b(random\(\)|now\(\)|current_(date|timestamp)|using sample|tablesample)", re.I)
# What takes its argument in any order and gives the same.
ORDERLESS = {"sorted", "set", "frozenset", "any", "all", "len", "min", "max", "sum", "Counter"}
IN_ORDER = {"list", "tuple", "enumerate", "zip", "map", "iter", "dict", "next"}
SET_METHODS = {"union", "intersection", "difference", "symmetric_difference"}


def signs(source: str) -> Iterator[tuple[int, str, str]]:
    """What in a source could come out otherwise on another run: line, name and why."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.above = node  # type: ignore[attr-defined]
    sets = _names_of_sets(tree)
    for node in ast.walk(tree):
        name = _dotted(node) if isinstance(node, (ast.Attribute, ast.Name)) else ""
        if isinstance(node, ast.Call):
            function = _dotted(node.func)
            if CLOCK.match(function):
                yield node.lineno, function, "reads the clock"
            if re.search(r"(^|\.)default_rng$", function) and not node.args:
                yield node.lineno, function, "is a generator without a seed"
            seeded = {k.arg for k in node.keywords} & {"random_state", "seed"}
            if function.endswith((".sample", ".shuffle")) and not seeded:
                yield node.lineno, function, "is chance without a seed"
            if function in ("id", "hash") and node.args:
                yield node.lineno, function, "differs from process to process"
            if FOLDERS.search(function) and not _order_is_lost(node):
                yield node.lineno, function, "lists a folder in the order of the file system"
        if CHANCE.match(name) and not isinstance(getattr(node, "above", None), ast.Attribute):
            yield node.lineno, name, "is chance without a seed"
        if ANY_ORDER.search(name):
            yield node.lineno, name, "takes parallel results in the order in which they end"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for module in {getattr(node, "module", None), *(a.name for a in node.names)}:
                if module in ("random", "uuid", "secrets"):
                    yield node.lineno, module, "is chance without a seed"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value):
            yield node.lineno, SQL.search(node.value)[0], "in SQL: chance, or the clock"
        for over in _iterated(node):
            if _is_set(over, sets) and not _order_is_lost(over):
                yield over.lineno, ast.unparse(over)[:60], "is a set: its order follows the hash seed"


def _names_of_sets(tree: ast.AST) -> set[str]:
    """Names that a module binds to nothing but sets."""
    bound: dict[str, list[bool]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            pairs = [(node.target, node.value)]
        elif isinstance(node, (ast.For, ast.comprehension)):
            pairs = [(node.target, ast.Constant(0))]
        elif isinstance(node, ast.arg):
            pairs = [(ast.Name(node.arg), ast.Constant(0))]
        else:
            continue
        for target, value in pairs:
            for name in (n.id for n in ast.walk(target) if isinstance(n, ast.Name)):
                bound.setdefault(name, []).append(isinstance(target, ast.Name) and _is_set(value, set()))
    return {name for name, all_sets in bound.items() if all(all_sets)}


def _is_set(node: ast.AST, sets: set[str]) -> bool:
    if isinstance(node, (ast.Set, ast.SetComp)):
        return True
    if isinstance(node, ast.Name):
        return node.id in sets
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)):
        return _is_set(node.left, sets) or _is_set(node.right, sets)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name):
            return node.func.id in ("set", "frozenset")
        if isinstance(node.func, ast.Attribute) and node.func.attr in SET_METHODS:
            return _is_set(node.func.value, sets)
    return False


def _iterated(node: ast.AST) -> list[ast.expr]:
    """What a statement or call goes through in order."""
    if isinstance(node, (ast.For, ast.comprehension)):
        return [node.iter]
    if isinstance(node, ast.Starred):
        return [node.value]
    if isinstance(node, ast.Call):
        function = _dotted(node.func)
        if function in IN_ORDER or function.endswith((".join", ".fromkeys", ".extend", ".isin")):
            return [a for a in node.args if not function.endswith(".isin")]
    return []


def _order_is_lost(node: ast.AST) -> bool:
    """Whether what is gone through is sorted, counted or put into a set before anything sees its order."""
    above = getattr(node, "above", None)
    inside = (ast.comprehension, ast.GeneratorExp, ast.ListComp, ast.Starred, ast.Set, ast.SetComp)
    while isinstance(above, inside):
        if isinstance(above, (ast.Set, ast.SetComp)):
            return True
        above = getattr(above, "above", None)
    return isinstance(above, ast.Call) and _dotted(above.func).split(".")[-1] in ORDERLESS


def _dotted(node: ast.AST) -> str:
    """A name with its attributes; what is no name at its root is a question mark.

    >>> _dotted(ast.parse("a.b(c).d").body[0].value)
    '?.d'
    """
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"
