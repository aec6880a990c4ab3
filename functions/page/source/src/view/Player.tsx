/** Plays the file of a job in its row. */

import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { CallFailed } from "../api";
import * as details from "../details";
import { sentenceFor } from "../failures";
import { titleOf, type Job } from "../jobs";

/** The job that is played: one at a time. */
export const playing = signal("");

const UNPLAYABLE = "This browser cannot play the file. Download it, and open it with another player.";

export function Player({ job }: { job: Job }) {
  const link = useSignal("");
  const complaint = useSignal("");
  useEffect(() => {
    let isWanted = true;
    linkTo(job).then(
      (found) => isWanted && (link.value = found),
      (sentence: Error) => isWanted && (complaint.value = sentence.message),
    );
    return () => {
      isWanted = false;
    };
  }, [job.id]);

  if (complaint.value !== "") return <p class="player complaint" role="alert">{complaint}</p>;
  if (link.value === "") return <p class="player soft">Opening…</p>;
  const shared = {
    class: "player",
    src: link.value,
    controls: true,
    autoplay: true,
    "aria-label": titleOf(job),
    onError: () => (complaint.value = UNPLAYABLE),
  };
  return job.isAudio || job.contentType.startsWith("audio/") ? <audio {...shared} /> : <video {...shared} playsInline />;
}

async function linkTo(job: Job): Promise<string> {
  try {
    return (await details.lasting(job)).link;
  } catch (error) {
    if (error instanceof CallFailed) throw new Error(sentenceFor(error.failure), { cause: error });
    throw error;
  }
}
