/** What was pasted, as addresses to fetch. The service has the last word; here is what helps before it is asked. */

export interface Line {
  text: string; // as it was typed
  url: string;
  complaint: string; // why it cannot be an address; empty where it may be one
}

const BARE = /^([\p{L}\p{N}-]+\.)+\p{L}{2,}(:\d+)?([/?#]|$)/u; // a host with nothing before it, as people write it
const MAX_CHARS = 2048;

/** One line an address; several on one line are several, as an address has no spaces. Empty lines say nothing. */
export function lines(typed: string): Line[] {
  return typed.split(/\r?\n/).flatMap((line) => parts(line.trim())).map(read);
}

function parts(line: string): string[] {
  if (line === "") return [];
  const words = line.split(/\s+/);
  return words.every((word) => /^https?:\/\//i.test(word)) ? words : [line];
}

function read(text: string): Line {
  const url = BARE.test(text) ? `https://${text}` : text;
  return { text, url, complaint: complaint(url) };
}

function complaint(url: string): string {
  if (/\s/.test(url)) return "This is not a web address: it has spaces in it. Paste one that begins with https://.";
  if (!/^https?:\/\/./i.test(url)) return "This is not a web address. Paste one that begins with https:// or http://.";
  if (!URL.canParse(url)) return "This address cannot be read. Copy it again from your browser's address bar.";
  if (url.length > MAX_CHARS) return `This address is longer than ${MAX_CHARS} characters. Copy the page's own address.`;
  const parsed = new URL(url);
  if (parsed.username !== "" || parsed.password !== "") {
    return "This address has a user name or password in it. Take them out: the service keeps addresses.";
  }
  return "";
}

/** Seconds of "90", "1:30" or "1:02:03.5". `null` where it is no time; nothing is `undefined`. */
export function seconds(typed: string): number | null | undefined {
  const text = typed.trim().replace(",", ".");
  if (text === "") return undefined;
  if (!/^(\d+:){0,2}\d+(\.\d+)?$/.test(text)) return null;
  const parts = text.split(":").map(Number);
  if (parts.slice(1).some((part) => part >= 60)) return null;
  return parts.reduce((sum, part) => sum * 60 + part, 0);
}
