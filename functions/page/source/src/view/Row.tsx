/** One download in the list. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { mishaps } from "../actions";
import { adviceFor } from "../advice";
import { CallFailed } from "../api";
import { now } from "../clock";
import * as details from "../details";
import { face, titleOf, type Face, type Job } from "../jobs";
import { ago, bytes, host, lasting, playing as length } from "../words";
import { Actions } from "./Actions";
import { Advised } from "./Advised";
import { Icon } from "./icons";
import { Player, playing } from "./Player";

const WORDS: Record<Face, string> = {
  waiting: "Waiting for its turn",
  running: "Fetching",
  finishing: "Finishing",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  expired: "No longer kept",
};

export function Row({ job }: { job: Job }) {
  const found = useDetails(job);
  const mishap = mishaps.value.get(job.id) ?? "";
  return (
    <article class={`row card ${job.playlistId === "" ? "" : "item"}`} data-face={face(job)}>
      <Picture job={job} image={found?.image ?? ""} />
      <div class="what">
        <h3 id={`title-${job.id}`} class="title">
          {job.playlistId !== "" && <span class="soft">{job.playlistIndex}. </span>}
          {titleOf(job)}
        </h3>
        <p class="meta soft">
          <span class="face">{job.items !== null && face(job) === "running" ? "Playlist" : WORDS[face(job)]}</span>
          {facts(job).map((fact) => (
            <span key={fact}>{fact}</span>
          ))}
          {found?.subtitles.map((each) => (
            <a key={each.language} href={each.link} rel="noopener">
              Subtitles: {each.language}
            </a>
          ))}
          {found !== null && found.missing.length > 0 && <span>No subtitles: {found.missing.join(", ")}</span>}
        </p>
        {job.status === "processing" && <Bar job={job} />}
        <Reason job={job} />
        {mishap !== "" && <p class="complaint">{mishap}</p>}
      </div>
      <Actions job={job} />
      {playing.value === job.id && job.status === "done" && <Player job={job} />}
    </article>
  );
}

function Picture({ job, image }: { job: Job; image: string }) {
  const isBroken = useSignal("");
  const kind = job.items !== null ? "list" : job.isAudio ? "audio" : "video";
  return (
    <div class="picture">
      {image !== "" && isBroken.value !== image ? (
        <img src={image} alt="" loading="lazy" onError={() => (isBroken.value = image)} />
      ) : (
        <Icon name={kind} />
      )}
      {job.durationS !== null && (
        <span class="length">
          <span class="unseen">Plays </span>
          {length(job.durationS)}
        </span>
      )}
    </div>
  );
}

function Bar({ job }: { job: Job }) {
  const isKnown = job.progress > 0;
  return (
    <div class="bar">
      <progress aria-labelledby={`title-${job.id}`} max={100} {...(isKnown ? { value: job.progress } : {})} />
      <p class="soft small">{pace(job)}</p>
    </div>
  );
}

function pace(job: Job): string {
  if (job.items !== null) return `${job.items.done} of ${job.items.total} done`;
  const parts = [job.progress > 0 ? `${Math.floor(job.progress)} %` : ""];
  if (job.downloadedBytes > 0) {
    parts.push(job.filesize === null ? bytes(job.downloadedBytes) : `${bytes(job.downloadedBytes)} of ${bytes(job.filesize)}`);
  }
  if (job.speed !== null && job.speed > 0) parts.push(`${bytes(job.speed)}/s`);
  if (job.etaS !== null && face(job) === "running") parts.push(`${lasting(job.etaS)} left`);
  return parts.filter((part) => part !== "").join(" · ");
}

function facts(job: Job): string[] {
  const items = job.items;
  const left = [
    items === null ? "" : `${items.total} items${items.isTruncated ? ", shortened" : ""}`,
    items !== null && items.failed > 0 ? `${items.failed} failed` : "",
    host(job.url),
    job.status === "done" && job.filesize !== null ? bytes(job.filesize) : "",
    job.attempts > 1 && job.status === "processing" ? `try ${job.attempts}` : "",
    job.createdAt > 0 ? ago(job.createdAt, now()) : "",
  ];
  return left.filter((fact) => fact !== "");
}

function Reason({ job }: { job: Job }) {
  if (job.status !== "error" || face(job) === "cancelled") return null;
  return (
    <p class="reason">
      <Advised text={`${job.error} ${adviceFor(job.errorCode, host(job.url))}`} />
    </p>
  );
}

const GLANCE_MS = 250; // rows that only scroll by are not asked about

/** What there is to see of a job that is done; nothing of it changes any more but its links. */
function useDetails(job: Job): details.Details | null {
  const found = useSignal<details.Details | null>(null);
  const isWanted = job.status === "done" && job.items === null;
  useEffect(() => {
    found.value = null;
    if (!isWanted) return undefined;
    const gone = new AbortController();
    const timer = window.setTimeout(() => {
      details.lasting(job, gone.signal).then(
        (seen) => !gone.signal.aborted && (found.value = seen),
        (error: unknown) => {
          if (!(error instanceof CallFailed)) throw error; // without an image the row is as good
        },
      );
    }, GLANCE_MS);
    return () => {
      gone.abort();
      window.clearTimeout(timer);
    };
  }, [job.id, job.completedAt, isWanted]);
  return found.value;
}
