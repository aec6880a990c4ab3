"""`list`, `status`, `cancel`, `retry`, `rm` and `open`."""

import json
from pathlib import Path

import pytest

from tests.serving import DONE, FAILED, JOB_ID, RUNNING, Said, Server, error, example, job, shown
from tests.unit.reelhaul.command.conftest import Run

OTHER_ID = job("playlist")["items"][0]["id"]


def listing(server: Server) -> None:
    rows = [job(DONE, name="a\x1b[2Jtalk.mp4"), job(RUNNING, id=OTHER_ID)]
    server.tell("GET /download", Said({"success": True, "data": {"downloads": rows, "total": 2, "next_token": None}}))


def test_list_is_a_row_for_each_job_without_orders_to_the_terminal(run: Run, server: Server) -> None:
    listing(server)

    code, out, _ = run("list", "-n", "7", "--status", "done")

    assert code == 0
    rows = [line.split("\t") for line in out.splitlines()]
    assert [(row[0], row[2], row[3]) for row in rows] == [(JOB_ID, "done", "1.0 kB"), (OTHER_ID, "42 %", "1.0 kB")]
    assert "\x1b" not in out
    assert server.asked[0].path == "/download?count=7&status=done"


def test_list_as_json_is_what_the_service_says(run: Run, server: Server) -> None:
    listing(server)
    _, out, _ = run("list", "--json")
    assert [json.loads(line)["id"] for line in out.splitlines()] == [JOB_ID, OTHER_ID]
    assert json.loads(out.splitlines()[1]) == job(RUNNING, id=OTHER_ID)


def test_status_tells_what_went_wrong_and_what_to_do(run: Run, server: Server) -> None:
    server.tell(f"GET /download/{JOB_ID}", shown(FAILED, error="Too slow.", error_code="source.timed_out"))
    code, out, _ = run("status", JOB_ID)
    assert code == 0
    assert "Too slow. (source.timed_out)" in out
    assert f"reelhaul retry {JOB_ID}" in out


def test_status_of_a_playlist_has_its_items(run: Run, server: Server) -> None:
    server.tell(f"GET /download/{JOB_ID}", Said(example("GET /download/{id}", "playlist")))
    out = run("status", JOB_ID)[1]
    assert f"1  {OTHER_ID}  done" in out
    assert "does not exist" in out


def test_status_as_json_is_what_the_service_says(run: Run, server: Server) -> None:
    server.tell(f"GET /download/{JOB_ID}", shown(RUNNING))
    assert json.loads(run("status", JOB_ID, "--json")[1]) == job(RUNNING)


@pytest.mark.parametrize(
    ("command", "route", "said"),
    [
        ("cancel", f"DELETE /api/downloads/{JOB_ID}", "is cancelled."),
        ("rm", f"DELETE /download/{JOB_ID}", "is gone."),
        ("retry", f"POST /download/{JOB_ID}", "is fetched again."),
    ],
)
def test_action_is_the_contracts_route_and_said(run: Run, server: Server, command: str, route: str, said: str) -> None:
    server.tell(route, Said(example("POST /download/{id}", "again")))
    code, out, _ = run(command, JOB_ID)
    assert code == 0
    assert out.startswith(f"{JOB_ID} {said}")
    assert server.paths() == [route]


def test_one_that_fails_does_not_keep_the_others(run: Run, server: Server) -> None:
    server.tell(f"DELETE /api/downloads/{OTHER_ID}", Said({"message": "Download cancelled"}))
    code, out, err = run("cancel", JOB_ID, OTHER_ID)
    assert code == 1
    assert out == f"{OTHER_ID} is cancelled.\n"
    assert err == f"{JOB_ID}: because job.not_found\n"


def test_failure_as_json_has_its_code(run: Run, server: Server) -> None:
    server.tell(f"POST /download/{JOB_ID}", error(409, "job.conflict"))
    code, out, _ = run("retry", JOB_ID, "--json")
    assert code == 1
    assert json.loads(out) == {
        "event": "failed",
        "id": JOB_ID,
        "code": "job.conflict",
        "message": "because job.conflict",
    }


def test_key_that_is_refused_ends_with_3(run: Run, server: Server) -> None:
    server.tell(f"GET /download/{JOB_ID}", error(401, "auth.unauthorized"))
    code, _, err = run("status", JOB_ID)
    assert code == 3
    assert "reelhaul login" in err


def test_what_is_no_id_is_asked_of_nobody(run: Run, server: Server) -> None:
    code, _, err = run("rm", "../../keys")
    assert code == 2
    assert "is no id of a download" in err
    assert server.asked == []


def test_open_hands_the_link_to_the_browser(
    run: Run, server: Server, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = here / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {here}/opened\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.setattr("webbrowser._tryorder", None)
    server.tell(f"GET /download/{JOB_ID}", shown(DONE, download_url="https://files.example/a?b=c&d=e"))

    assert run("open", JOB_ID)[0] == 0

    assert (here / "opened").read_text() == "https://files.example/a?b=c&d=e\n"


def test_open_of_a_job_without_a_file_says_why(run: Run, server: Server) -> None:
    server.tell(f"GET /download/{JOB_ID}", shown(FAILED))
    code, _, err = run("open", JOB_ID)
    assert code == 4
    assert "does not exist" in err


def test_open_without_a_browser_goes_on_and_gives_the_link(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    for each in (JOB_ID, OTHER_ID):
        server.tell(f"GET /download/{each}", shown(DONE, id=each, download_url=f"https://files.example/{each}"))
    code, _, err = run("open", JOB_ID, OTHER_ID)
    assert code == 1
    assert f"https://files.example/{JOB_ID}" in err
    assert f"https://files.example/{OTHER_ID}" in err
    told = json.loads(run("open", JOB_ID, "--json")[1])
    assert (told["event"], told["id"], told["code"]) == ("failed", JOB_ID, "client.no_browser")


def test_list_asks_on_until_it_has_as_many_as_are_wanted(run: Run, server: Server) -> None:
    pages = [
        Said({"success": True, "data": {"downloads": [job(DONE, id=each)], "total": 3, "next_token": f"after {each}"}})
        for each in (JOB_ID, OTHER_ID)
    ]
    server.tell("GET /download", *pages)
    out = run("list", "-n", "2")[1]
    assert [line.split("\t")[0] for line in out.splitlines()] == [JOB_ID, OTHER_ID]
    assert [asked.path for asked in server.asked] == [
        "/download?count=2", f"/download?count=1&next_token=after+{JOB_ID}",
    ]  # fmt: skip
