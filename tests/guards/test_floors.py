"""A floor imports only lower floors; some packages have one door; nothing goes in circles."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from tests.guards.source_tree import PACKAGE, Import, Module, module_names, modules, own_module

# Rooms on one floor do not know each other. A new room needs its floor here.
FLOORS: dict[str, int] = {
    "errors": 1,
    "calendars": 2,
    "digest": 2,
    "frames": 2,
    "money": 2,
    "texts": 2,
    "data": 3,
    "evaluation": 3,
    "policy": 4,
    "timeline": 4,
    "features": 5,
    "simulate": 5,
    "models": 6,
    "explain": 7,
    "bundle": 8,
    "engine": 9,
    "training": 9,
    "report": 10,
    "serving": 10,
    "operate": 11,
    "cli": 12,
}

# The one order within a floor: sentences are written with amounts and dates.
NEIGHBOURS: dict[str, set[str]] = {"texts": {"calendars", "money"}}

# Rooms that must never meet, whatever their floors.
NEVER: dict[str, set[str]] = {
    "policy": {"models", "features"},
    "evaluation": set(FLOORS) - {room for room, floor in FLOORS.items() if floor <= 2} - {"evaluation"},
}

# Third parties with one door: a folder ("explain/") or a file.
DOORS: dict[str, str] = {
    "mlflow": "operate/tracking.py",
    "pyspark": "operate/spark.py",
    "shap": "explain/",
    "typer": "cli.py",
    "rich": "cli.py",
    "tqdm": "cli.py",
}

# Formats that run code when they are read.
FILES_THAT_RUN = {"pickle", "_pickle", "joblib", "cloudpickle", "dill", "skops", "shelve", "marshal"}
CALLS_THAT_RUN = ("read_pickle", "to_pickle", "allow_pickle", "__reduce__", "__reduce_ex__")


def _say(module: Module, found: Import, why: str) -> str:
    return f"{module.relative}:{found.line} imports {found.target}: {why}"


def _room(target: str) -> str | None:
    """The room an import reads, "" for the façade, None for other packages."""
    own = own_module(target)
    return None if own is None else [*own.split("."), ""][1]


def test_every_room_has_its_floor():
    without = {module.room for module in modules()} - {""} - set(FLOORS)
    assert not without, f"give a floor in tests/guards/test_floors.py to {sorted(without)}"


def test_every_folder_with_modules_is_a_package():
    assert {module.path.parent for module in modules()} == {
        module.path.parent for module in modules() if module.path.name == "__init__.py"
    }


def test_a_room_imports_only_lower_floors():
    wrong = []
    for module in modules():
        if not module.room:
            continue
        for found in module.imports:
            room = _room(found.target)
            if room is None or room == module.room:
                continue
            if not room:
                if module.room != "cli":
                    wrong.append(_say(module, found, "the façade is for users; import the room"))
            elif FLOORS[room] >= FLOORS[module.room] and room not in NEIGHBOURS.get(module.room, set()):
                floors = f"{module.room} is on floor {FLOORS[module.room]}, {room} on {FLOORS[room]}"
                wrong.append(_say(module, found, floors))
    assert not wrong, "\n".join(wrong)


def test_rooms_that_must_never_meet_do_not():
    wrong = [
        _say(module, found, f"{module.room} never imports {_room(found.target)}")
        for module in modules()
        for found in module.imports
        if _room(found.target) in NEVER.get(module.room, set())
    ]
    assert not wrong, "\n".join(wrong)


def test_every_import_of_our_own_names_an_existing_module():
    wrong = [
        _say(module, found, "no such module")
        for module in modules()
        for found in module.imports
        if found.distribution == PACKAGE and own_module(found.target) is None
    ]
    assert not wrong, "\n".join(wrong)


def test_modules_do_not_import_in_circles():
    graph = {
        module.name: {own for found in module.imports if (own := own_module(found.target))} - {module.name}
        for module in modules()
        if module.room
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None
    assert set(graph) < module_names()


def test_some_packages_have_one_door():
    wrong = [
        _say(module, found, f"only {DOORS[found.distribution]} may")
        for module in modules()
        for found in module.imports
        if found.distribution in DOORS and not module.relative.startswith(DOORS[found.distribution])
    ]
    assert not wrong, "\n".join(wrong)


def test_matplotlib_is_imported_only_where_something_is_drawn():
    wrong = [
        _say(module, found, "only inside plot_* (or their private parts) in a plots.py, or for types there")
        for module in modules()
        for found in module.imports
        if found.distribution == "matplotlib"
        and not (
            module.path.name == "plots.py"
            and (found.typing_only or found.function.startswith(("plot_", "_")))
        )
    ]
    assert not wrong, "\n".join(wrong)


def test_no_file_that_can_run_code_is_read_or_written():
    wrong = [
        _say(module, found, "such files run code when read")
        for module in modules()
        for found in module.imports
        if found.distribution in FILES_THAT_RUN
    ]
    wrong += [
        f"{module.relative} uses {call}"
        for module in modules()
        for call in CALLS_THAT_RUN
        if call in module.text
    ]
    assert not wrong, "\n".join(wrong)
