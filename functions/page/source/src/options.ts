/** How what is submitted is wanted. The names and values are those of the service's API. */

import { signal } from "@preact/signals";
import { seconds } from "./addresses";
import { atEnd } from "./session";

export const QUALITIES = ["best", "2160p", "1440p", "1080p", "720p", "480p", "360p", "240p", "144p"];
export const AUDIO_FORMATS = ["best", "m4a", "mp3", "opus", "flac", "wav"];
export const CONTAINERS = ["mp4", "mkv", "webm"];

export interface Options {
  kind: "video" | "audio";
  quality: string;
  container: string;
  audioFormat: string;
  name: string;
  from: string;
  to: string;
  subtitles: string;
  playlist: "auto" | "true" | "false";
}

const USUAL: Options = {
  kind: "video",
  quality: "best",
  container: "mp4",
  audioFormat: "best",
  name: "",
  from: "",
  to: "",
  subtitles: "",
  playlist: "auto",
};

export const options = signal(USUAL);

atEnd((isAsked) => {
  if (isAsked) options.value = USUAL;
});

export function set<Name extends keyof Options>(name: Name, value: Options[Name]): void {
  options.value = { ...options.value, [name]: value };
}

/** What was meant for these addresses alone is nothing to the next ones. */
export function forgetTheirs(): void {
  options.value = { ...options.value, name: USUAL.name, from: USUAL.from, to: USUAL.to };
}

/** What is wrong with them, by field; empty where nothing is. */
export function complaints(given: Options): Partial<Record<keyof Options, string>> {
  const found: Partial<Record<keyof Options, string>> = {};
  const from = seconds(given.from);
  const to = seconds(given.to);
  if (from === null) found.from = "Write a time as 1:30 or in seconds, as 90.";
  if (to === null) found.to = "Write a time as 1:30 or in seconds, as 90.";
  if (typeof to === "number" && to <= (from ?? 0)) found.to = "The end has to come after the beginning.";
  if (given.kind === "video" && !languages(given.subtitles).every((each) => /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$/.test(each))) {
    found.subtitles = "Write language codes with commas between them, as en, pt-BR.";
  }
  return found;
}

/** The fields of a create request. `given` has no complaints. */
export function fields(given: Options): Record<string, unknown> {
  const made: Record<string, unknown> =
    given.kind === "audio"
      ? { download_type: "audio", audio_format: given.audioFormat }
      : { quality: given.quality, container: given.container };
  const start = seconds(given.from);
  const end = seconds(given.to);
  if (typeof start === "number" || typeof end === "number") {
    made["clip"] = { start: start ?? 0, ...(typeof end === "number" ? { end } : {}) };
  }
  const wanted = languages(given.subtitles);
  if (wanted.length > 0 && given.kind === "video") made["subtitles"] = wanted;
  if (given.playlist !== "auto") made["playlist"] = given.playlist;
  if (given.name.trim() !== "") made["name"] = given.name.trim();
  return made;
}

function languages(typed: string): string[] {
  return typed.split(/[\s,;]+/).filter((each) => each !== "");
}
