"""The list of doors has every door that is written, or nothing else here would be about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.doors_under_test import doors
from tests.doors_under_test.door import Door
from tests.left_out import LEFT_OUT

FOLDER = Path(doors.__file__).parent


def written(kind: type[Door] = Door) -> Iterator[type[Door]]:
    """Every class of a door in the files of doors; those without a name are what some have in common."""
    for subclass in kind.__subclasses__():
        if "name" in vars(subclass) and subclass.__module__.endswith("_doors"):
            yield subclass
        yield from written(subclass)


def test_every_file_of_doors_is_read() -> None:
    modules = {path.stem for path in FOLDER.glob("*_doors.py")} - {f"{room}_doors" for room in LEFT_OUT}
    assert modules == {type(door).__module__.rpartition(".")[2] for door in doors.DOORS}


def test_every_door_that_is_written_is_in_the_list_once_under_a_name_of_its_own() -> None:
    assert sorted(map(repr, written())) == sorted(repr(type(door)) for door in doors.DOORS)
    assert len({door.name for door in doors.DOORS}) == len(doors.DOORS)
