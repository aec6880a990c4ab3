/** Plays the file of a job in its row. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { CallFailed } from "../api";
import * as details from "../details";
import { sentenceFor } from "../failures";
import { titleOf, type Job } from "../jobs";
import { ofVisit } from "../session";

/** The job that is played: one at a time. */
export const playing = ofVisit("");

const UNPLAYABLE = "This browser cannot play the file. Download it, and open it with another player.";
const MOST_LINKS = 2; // a tab may be open for longer than the first is good for

export function Player({ job }: { job: Job }) {
  const link = useSignal("");
  const complaint = useSignal("");
  const links = useRef(0);

  async function open(): Promise<void> {
    links.current += 1;
    link.value = ""; // else the same link would not be tried again
    try {
      const found = await details.renewed(job);
      link.value = found.link;
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      complaint.value = sentenceFor(error.failure);
    }
  }

  useEffect(() => {
    void open();
    return () => {
      if (playing.peek() === job.id) playing.value = ""; // it does not begin by itself when the row comes back
    };
  }, []);

  function onError(): void {
    if (links.current < MOST_LINKS) void open();
    else complaint.value = UNPLAYABLE;
  }

  if (complaint.value !== "") return <p class="player complaint" role="alert">{complaint}</p>;
  if (link.value === "") return <p class="player soft">Opening…</p>;
  const shared = { class: "player", src: link.value, controls: true, autoplay: true, "aria-label": titleOf(job), onError };
  return job.isAudio || job.contentType.startsWith("audio/") ? <audio {...shared} /> : <video {...shared} playsInline />;
}
