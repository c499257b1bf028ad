"""The package read as text: its modules, what each imports, and where. Nothing here imports the package."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
PACKAGE = "recobro_score"


Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Import:
    """One imported module or name, with the function that imports it ("" at the top of a module)."""

    target: str
    line: int
    function: str
    typing_only: bool

    @property
    def distribution(self) -> str:
        return self.target.partition(".")[0]


@dataclass(frozen=True)
class Module:
    path: Path

    @property
    def relative(self) -> str:
        return self.path.relative_to(SOURCE / PACKAGE).as_posix()

    @property
    def name(self) -> str:
        parts = self.path.relative_to(SOURCE).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """The folder or single file under the package; "" for the façade."""
        return [*self.name.split("."), ""][1]

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @cached_property
    def imports(self) -> list[Import]:
        collector = _Imports(self)
        collector.visit(self.tree)
        return collector.found


class _Imports(ast.NodeVisitor):
    def __init__(self, module: Module) -> None:
        self.module = module
        self.found: list[Import] = []
        self.functions: list[str] = []
        self.typing_only = False

    def _add(self, target: str, line: int) -> None:
        self.found.append(Import(target, line, ".".join(self.functions), self.typing_only))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            package = self.module.name.split(".")
            if self.module.path.name != "__init__.py":
                package = package[:-1]
            kept = package[: len(package) - node.level + 1]
            base = ".".join([*kept, base] if base else kept)
        for alias in node.names:
            self._add(f"{base}.{alias.name}", node.lineno)

    def visit_FunctionDef(self, node: Function) -> None:
        self.functions.append(node.name)
        self.generic_visit(node)
        self.functions.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_If(self, node: ast.If) -> None:
        before = self.typing_only
        self.typing_only = before or "TYPE_CHECKING" in ast.unparse(node.test)
        for child in node.body:
            self.visit(child)
        self.typing_only = before
        for child in node.orelse:
            self.visit(child)


@cache
def modules() -> tuple[Module, ...]:
    return tuple(Module(path) for path in sorted((SOURCE / PACKAGE).rglob("*.py")))


@cache
def module_names() -> frozenset[str]:
    return frozenset(module.name for module in modules())


def own_module(target: str) -> str | None:
    """The module of this package that importing `target` reads: itself, or the one that holds the name."""
    if target in module_names():
        return target
    parent = target.rpartition(".")[0]
    return parent if parent in module_names() else None


def functions(module: Module) -> list[tuple[str, Function]]:
    """Every function and method of a module with its dotted name."""
    found: list[tuple[str, Function]] = []

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function | ast.ClassDef):
                name = f"{prefix}{child.name}"
                if not isinstance(child, ast.ClassDef):
                    found.append((name, child))
                walk(child, f"{name}.")
            else:
                walk(child, prefix)

    walk(module.tree, "")
    return found
