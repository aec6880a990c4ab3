/** What to do about an error, by its code. The service says itself what happened; this follows it.
 *
 * `{cookies}` and `{proxy}` stand for the commands that set these for a site; what is between backticks is to be typed by
 * whoever runs the service. A test holds that every code that a user can meet is here, and no other.
 */

const ADVICE: Record<string, string> = {
  "auth.unauthorized": "Sign in with the key of this service.",
  "file.expired": "Press Retry, or delete it.",
  "file.not_found": "Retry fetches it again.",
  "internal": "If it stays like this, tell whoever runs the service when it happened.",
  "job.cancelled": "Retry begins anew.",
  "job.conflict": "It has changed meanwhile: look at it again.",
  "job.crashed": "A lower quality or a clip needs less; else tell whoever runs the service.",
  "job.damaged": "Press Retry, or delete it.",
  "job.dead_letter": "Retry it; if that ends the same way, tell whoever runs the service.",
  "job.not_found": "It was deleted, maybe in another tab. Submit its address again if you still want it.",
  "limit.bytes_per_day": "Retry it then, or ask whoever runs the service for a higher limit.",
  "limit.concurrent_jobs": "Wait until one has ended, or cancel one, and press Fetch again.",
  "limit.jobs_per_day": "Try again then, or ask whoever runs the service for a higher limit.",
  "request.invalid": "Change what it names and press Fetch again.",
  "request.key_reused": "Press Fetch again to submit it anew.",
  "request.throttled": "Wait a moment and try again; nothing is lost.",
  "request.too_large": "Shorten the address or the name.",
  "service.unavailable": "Nothing is lost.",
  "site.proxy_failed": "Retry later, or have the site's proxy checked: {proxy}.",
  "site.proxy_refused": "Have the site's proxy set anew: {proxy}.",
  "site.unreadable": "Retry it; if it stays so, have it set anew: {cookies}.",
  "source.blocked": "Have cookies or a proxy set for it: {cookies}.",
  "source.changed": "Retry it once the site is done with changing it.",
  "source.clip_out_of_range": "Choose a clip that begins earlier, and submit it again.",
  "source.drm": "Nothing can be done about it here.",
  "source.extractor_broken": "Ask whoever runs the service for `make newest` and a deploy, then retry.",
  "source.failed": "Open the address in your browser: if it plays there, retry later.",
  "source.forbidden": "If you can see it when logged in, have cookies set: {cookies}.",
  "source.geo_blocked": "A proxy in a country where it is shown may help: {proxy}.",
  "source.interrupted": "Retry it; a site that is busy may do better later.",
  "source.is_playlist": "Submit it again with Playlists set to “The whole list”.",
  "source.live": "Under More options choose where the clip ends, and submit it again.",
  "source.login_required": "This site asks for a login: add its cookies with {cookies}, then retry.",
  "source.malformed": "Open the address in your browser: if it works there, tell whoever runs the service.",
  "source.no_audio": "Submit it again as a video.",
  "source.not_found": "Open the address in your browser and copy it again.",
  "source.not_media": "Use the address of the page where the video plays, or of the file itself.",
  "source.rate_limited": "Wait an hour and retry; cookies may help: {cookies}.",
  "source.refused_address": "Only public addresses can be fetched; copy the one that others can open.",
  "source.site_not_allowed": "Ask whoever runs the service whether it may be allowed.",
  "source.timed_out": "Retry it; if it stays so, the site is down or far too busy.",
  "source.too_large": "Choose a lower quality, audio only or a clip, and submit it again.",
  "source.too_long": "Choose a clip under More options, and submit it again.",
  "source.too_slow": "Choose a lower quality or a clip, or retry when the site is less busy.",
  "source.unavailable": "Retry it in some minutes.",
  "source.unreachable": "Check the address for a typing mistake; else the site is down, and a retry later helps.",
  "source.unsupported": "Use the address of the page where the video itself plays.",
  "storage.unavailable": "If a retry ends the same way, tell whoever runs the service.",
};

/** The sentence for `code`, empty for one that is unknown. `site` is the host of what was asked for, if that is known. */
export function adviceFor(code: string, site: string): string {
  const command = `reelhaul sites set ${site || "SITE"} --tenant NAME`;
  return (ADVICE[code] ?? "")
    .replace("{cookies}", `\`${command} --cookies cookies.txt\``)
    .replace("{proxy}", `\`${command} --proxy -\``);
}
