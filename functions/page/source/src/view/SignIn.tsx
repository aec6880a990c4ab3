/** Asks for the key, and says what is wrong with one that does not open the door. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { CallFailed } from "../api";
import { keyComplaint, sentenceFor, UNKNOWN_KEY } from "../failures";
import * as pages from "../pages";
import { farewell, key } from "../session";
import { draft } from "../submit";
import { Mark } from "./icons";

export function SignIn() {
  const typed = useSignal("");
  const complaint = useSignal(farewell.peek());
  const isBusy = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []); // at once: an effect comes later, and misses what is typed before

  async function signIn(event: Event): Promise<void> {
    event.preventDefault();
    if (isBusy.value) return;
    isBusy.value = true;
    complaint.value = await tried(typed.value.trim());
    isBusy.value = false;
    field.current?.focus();
  }

  return (
    <main class="sign-in">
      <form onSubmit={(event) => void signIn(event)} noValidate>
        <h1>
          <Mark /> Reelhaul
        </h1>
        <p class="soft">Sign in with the access key of this service. It stays in this tab, and is forgotten when you close it.</p>
        <label for="key">Access key</label>
        <input
          id="key"
          ref={field}
          type="password"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => (typed.value = event.currentTarget.value)}
          aria-invalid={complaint.value !== ""}
          aria-describedby="key-complaint"
        />
        <p id="key-complaint" class="complaint" role="alert">
          {complaint}
        </p>
        <button class="primary" type="submit" aria-disabled={isBusy}>
          {isBusy.value ? "Signing in…" : "Sign in"}
        </button>
        {draft.value !== "" && <p class="soft">What you had typed is kept, and is there again once you are signed in.</p>}
        <p class="soft small">
          Whoever runs the service makes keys with <code>reelhaul keys create</code>.
        </p>
      </form>
    </main>
  );
}

/** Sign in with `given`. Returns why that was not possible. */
async function tried(given: string): Promise<string> {
  const complaint = keyComplaint(given);
  if (complaint !== "") return complaint;
  try {
    await pages.first(given);
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error;
    const { failure } = error;
    return failure.kind === "refused" && failure.status === 401 ? UNKNOWN_KEY : sentenceFor(failure);
  }
  farewell.value = "";
  key.value = given;
  return "";
}
