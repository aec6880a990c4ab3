"""From an address to a video that plays, and everything that its user may want otherwise on the way."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.visit import box, button, fetch, is_focused_within, row, rows, said
from tests.e2e.running import Client
from tests.media import SourceServer

pytestmark = pytest.mark.e2e


def test_address_becomes_a_video_with_its_image_that_plays_in_place(page: Page, source: SourceServer) -> None:
    fetch(page, source.url("clip.mp4"))
    done = row(page, "clip")
    expect(done).to_contain_text("Done")
    expect(box(page)).to_have_value("")
    expect(said(page)).to_contain_text("clip.mp4 is done")
    image = done.locator("img")
    expect(image).to_be_visible()
    assert image.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0

    button(done, "Play").click()

    video = done.locator("video")
    page.wait_for_function("(video) => video.currentTime > 0.2 && video.videoWidth === 320", arg=video.element_handle())
    button(done, "Close the player").click()
    expect(video).to_have_count(0)


def test_file_is_saved_under_its_name_and_its_link_copied(page: Page, source: SourceServer) -> None:
    page.context.grant_permissions(["clipboard-write"])
    page.get_by_text("More options").click()
    page.get_by_label("Name of the file").fill("Summer: the film")
    fetch(page, source.url("clip.mp4"))
    done = row(page, "Summer")
    expect(done).to_contain_text("Done")
    expect(page.get_by_label("Name of the file")).to_have_value("")  # the next file is not called the same

    with page.expect_download() as saved:
        button(done, "Download").click()
    button(done, "Copy link").click()
    expect(said(page)).to_contain_text("The link was copied")

    assert saved.value.suggested_filename == "Summer_ the film.mp4"
    assert saved.value.path().read_bytes() == (source.directory / "clip.mp4").read_bytes()
    box(page).press("Control+V")  # the page itself may not read what others have copied
    assert page.request.get(box(page).input_value()).body() == (source.directory / "clip.mp4").read_bytes()


def test_job_under_way_shows_how_far_it_is_and_can_be_cancelled_retried_and_deleted(
    page: Page, source: SourceServer
) -> None:
    fetch(page, source.url("slow/clip.mp4?rate=2000"))
    slow = row(page, "/slow/clip.mp4")  # it has no name yet
    expect(slow).to_contain_text("Fetching")
    expect(slow.get_by_role("progressbar")).to_have_attribute("value", re.compile(r"[1-9][\d.]*"))
    expect(slow).to_contain_text(re.compile(r"\d k?B/s"))
    expect(slow).to_contain_text("left")

    button(slow, "Cancel").click()
    expect(slow).to_contain_text("Cancelled")
    assert is_focused_within(slow)  # though the button that had the focus is gone

    button(slow, "Retry").click()
    expect(slow.get_by_role("progressbar")).to_be_visible()
    button(slow, "Cancel").click()
    button(slow, "Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep").click()
    expect(rows(page)).to_have_count(1)
    button(slow, "Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(rows(page)).to_have_count(0)
    expect(page.get_by_role("heading", name="Downloads")).to_be_focused()


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("status/404", "copy it again"),
        ("page.html", "page where the video itself plays"),
        ("status/401", "reelhaul sites set 127.0.0.1 --tenant NAME --cookies cookies.txt"),
    ],
)
def test_failed_job_says_what_to_do(page: Page, source: SourceServer, path: str, advice: str) -> None:
    fetch(page, source.url(path))

    expect(rows(page).first).to_contain_text("Failed")
    expect(rows(page).first).to_contain_text(advice)
    expect(button(rows(page).first, "Retry")).to_be_visible()


def test_sound_alone_in_a_format_of_choice_plays(page: Page, source: SourceServer) -> None:
    page.get_by_text("Audio", exact=True).click()
    page.get_by_label("Format").select_option("mp3")
    page.get_by_text("More options").click()
    page.get_by_label("Clip to").fill("0:01")
    fetch(page, source.url("clip.mp4"))
    done = rows(page).first
    expect(done).to_contain_text("Done")

    button(done, "Play").click()

    audio = done.locator("audio").element_handle()
    page.wait_for_function("(audio) => audio.duration > 0.9 && audio.duration < 1.2", arg=audio)


def test_playlist_folds_out_to_its_items(page: Page, source: SourceServer) -> None:
    fetch(page, source.url("feed/4"))
    playlist = row(page, "A feed")
    expect(playlist).to_contain_text("Done")
    expect(rows(page)).to_have_count(1)

    button(playlist, "Show items").click()

    expect(rows(page)).to_have_count(5)
    expect(rows(page).nth(1)).to_contain_text("1. ")
    expect(rows(page).nth(4)).to_contain_text("Failed")
    button(playlist, "Hide items").click()
    expect(rows(page)).to_have_count(1)


def test_lines_that_are_refused_stay_in_the_box_with_a_sentence_each(
    page: Page, source: SourceServer, tenant: Client
) -> None:
    fetch(
        page,
        "https://",
        f"what is {source.url('clip.mp4')}",
        source.url("clip.mp4"),
        source.url("clip.mp4"),  # once more
        "https://user:pass@example.com/",
        "ftp://example.com/a",
    )

    expect(rows(page)).to_have_count(1)
    left = f"https://\nwhat is {source.url('clip.mp4')}\nhttps://user:pass@example.com/\nftp://example.com/a"
    expect(box(page)).to_have_value(left)
    expect(box(page)).to_be_focused()
    refused = page.get_by_role("alert").get_by_role("listitem")
    sentences = ["not a web address", "has spaces in it", "a user name or password in it", "begins with https://"]
    for told, sentence in zip(refused.all_inner_texts(), sentences, strict=True):
        assert sentence in told
    assert tenant.call("GET", "/download").json["data"]["total"] == 1


def test_subtitles_that_there_are_not_are_named_and_are_no_matter_of_sound(page: Page, source: SourceServer) -> None:
    page.get_by_text("More options").click()
    page.get_by_label("Subtitles").fill("de")
    fetch(page, source.url("clip.mp4"))
    expect(rows(page).first).to_contain_text("No subtitles: de")

    page.get_by_label("Subtitles").fill("in German, please!")
    page.get_by_text("Audio", exact=True).click()
    fetch(page, source.url("status/404"))

    expect(rows(page)).to_have_count(2)
    expect(box(page)).to_have_value("")


def test_empty_box_and_senseless_options_are_told_before_anything_is_sent(page: Page, tenant: Client) -> None:
    page.get_by_role("button", name="Fetch", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Paste the address")

    page.get_by_text("More options").click()
    page.get_by_label("Clip from").fill("1:90")
    fetch(page, "https://example.com/a.mp4")

    expect(page.get_by_label("Clip from")).to_be_focused()
    expect(page.get_by_text("Write a time as 1:30")).to_be_visible()
    expect(box(page)).to_have_value("https://example.com/a.mp4")
    assert tenant.call("GET", "/download").json["data"]["total"] == 0
