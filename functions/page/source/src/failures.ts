/** Sentences that help, for calls that came to nothing. */

import type { Failure } from "./api";
import { adviceFor } from "./advice";
import { lasting } from "./words";

const LOST = "The service cannot be reached. Check your connection; nothing is lost.";
const FOREIGN =
  "What answers at this address is not Reelhaul. If you are in a network that asks for a sign-in, sign in there; else check the address.";

export function sentenceFor(failure: Failure): string {
  if (failure.kind === "lost") return LOST;
  if (failure.kind === "foreign") return FOREIGN;
  if (failure.kind === "left") return ""; // there is nobody to read it
  const advice = adviceFor(failure.code, "");
  const wait = failure.retryAfterS > 60 ? ` That is in ${lasting(failure.retryAfterS)}.` : "";
  const message = /[.!?]$/.test(failure.message) ? failure.message : `${failure.message}.`; // API Gateway's have no full stop
  return `${message} ${advice}${wait}`.trim();
}

/** What is wrong with a key by its looks alone; empty where it may be one. */
export function keyComplaint(key: string): string {
  if (key === "") return "Enter your access key. It begins with sk-.";
  const known = FOREIGN_KEYS.find(([pattern]) => pattern.test(key));
  if (known !== undefined) return `This looks like ${known[1]}. What is asked for here is the access key of this Reelhaul; it begins with sk-.`;
  if (/\s/.test(key)) return "An access key has no spaces or line breaks in it. Was more than the key copied?";
  if (!/^[!-~]{8,200}$/.test(key)) return "An access key has 8 to 200 plain letters, digits and signs. Was all of it copied?";
  return "";
}

// By how they begin, as their makers document it.
const FOREIGN_KEYS: [RegExp, string][] = [
  [/^(AKIA|ASIA)[A-Z0-9]{12,}$/, "an access key of AWS"],
  [/^(gh[pousr]_|github_pat_)/, "a token of GitHub"],
  [/^whsec_/, "a secret for webhooks"],
  [/^AIza/, "a key of Google"],
  [/^xox[abp]-/, "a token of Slack"],
  [/^eyJ/, "a token of another service"],
  [/^https?:\/\//i, "an address"],
];

export const UNKNOWN_KEY =
  "This service does not know the key. It may belong to another service, or have been revoked or have expired: ask whoever runs this one for a new key.";
