"""The page has a word of advice for every error that its user can meet, and none that nobody will ever read."""

import re
from pathlib import Path

from reelhaul import errors
from reelhaul.errors import ReelhaulError
from tests import jobs_in

SOURCE = Path(__file__).parents[2] / "functions/page/source/src"
# What a user of the page does not meet, as it knows its own routes and methods,
UNSEEN = {errors.RouteNotFound.code, errors.MethodNotAllowed.code, errors.UnsupportedMediaType.code}
UNSEEN |= {errors.KeyNotFound.code, errors.SiteNotFound.code}  # what belongs to the operator's commands,
UNSEEN |= {errors.LeaseLost.code, errors.MalformedMessage.code}  # what stays among workers,
UNSEEN |= {errors.LimitReached.code}  # and what is told by its subclasses alone.
THROTTLED = "request.throttled"  # what the page calls API Gateway's own reply, which has no code


def advised() -> list[str]:
    text = (SOURCE / "advice.ts").read_text(encoding="utf-8")
    return re.findall(r'^  "([a-z_.]+)": "[A-Z][^"]+",$', text, re.MULTILINE)


def codes() -> set[str]:
    """All that there are."""
    classes = [found for found in vars(errors).values() if isinstance(found, type)]
    return {found.code for found in classes if issubclass(found, ReelhaulError)}


def test_every_error_that_a_user_can_meet_has_advice_and_no_advice_is_dead() -> None:
    met = codes() - UNSEEN | {str(jobs_in.cancelled().error_code), THROTTLED}
    assert sorted(advised()) == sorted(met)


def test_the_codes_that_are_left_out_exist() -> None:
    assert codes() > UNSEEN


def test_the_pages_own_code_is_one_that_it_gives() -> None:
    assert f'"{THROTTLED}"' in (SOURCE / "api.ts").read_text(encoding="utf-8")
