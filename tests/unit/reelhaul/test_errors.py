"""The exception tree."""

import re

import pytest

from reelhaul import errors
from reelhaul.errors import DeadLetter, Permanent, ReelhaulError, SourceError, Transient, WorkerCrashed, source_error


def descendants(cls: type[ReelhaulError]) -> list[type[ReelhaulError]]:
    return [cls, *(deeper for child in cls.__subclasses__() for deeper in descendants(child))]


ALL = descendants(ReelhaulError)


@pytest.mark.parametrize("cls", ALL)
def test_every_code_is_dotted_and_every_sentence_ends(cls: type[ReelhaulError]) -> None:
    assert re.fullmatch(r"internal|[a-z_]+\.[a-z_]+", cls.code)
    assert cls.sentence.endswith(".")


def test_no_two_errors_that_a_client_sees_share_a_code() -> None:
    own = [cls for cls in ALL if "code" in vars(cls)]
    assert len({cls.code for cls in own}) == len(own)


@pytest.mark.parametrize("cls", descendants(SourceError))
def test_a_source_error_comes_back_from_its_code(cls: type[SourceError]) -> None:
    assert source_error(cls.code).code == cls.code


def test_an_unknown_code_is_a_plain_failure() -> None:
    error = source_error("source.from_the_future", retry_after_s=3)
    assert (type(error), error.retry_after_s) == (SourceError, 3)


def test_whether_another_try_is_worth_it_is_in_the_type() -> None:
    kinds = {cls for cls in descendants(SourceError) if cls not in {SourceError, Permanent, Transient}}
    assert all(issubclass(cls, Permanent) != issubclass(cls, Transient) for cls in kinds)
    assert issubclass(WorkerCrashed, Transient)
    assert issubclass(DeadLetter, Permanent)


def test_the_module_names_every_error_that_there_is() -> None:
    assert all(cls.__module__ == errors.__name__ for cls in ALL)
