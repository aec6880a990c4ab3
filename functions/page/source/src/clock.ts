/** What time it is at the service. This device's own clock may be hours off, and says nothing about when a link ends. */

import { signal } from "@preact/signals";

const NOTICEABLE_MS = 120_000; // a header tells whole seconds, and a reply may be on its way for some

const MINUTE_MS = 60_000;
const minute = signal(0);
window.setInterval(() => (minute.value += 1), MINUTE_MS);

/** By how much the service's clock is ahead of this device's, in milliseconds. */
export const skewMs = signal(0);

/** Take note of a reply's `Date`, at the moment it came. */
export function clockSeen(date: string | null): void {
  const there = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(there)) return;
  const skew = there - Date.now();
  // A second more or less is the header's rounding: without this every reply would draw everything anew.
  if (Math.abs(skew - skewMs.value) > 2_000) skewMs.value = skew;
}

/** Milliseconds since the epoch, by the service's clock. What shows it is shown anew each minute. */
export function now(): number {
  void minute.value;
  return Date.now() + skewMs.value;
}

/** Whether this device's clock is so far off that its user will wonder about times. */
export function isOff(): boolean {
  return Math.abs(skewMs.value) > NOTICEABLE_MS;
}
