/** The whole page: a sign-in, and behind it a box for addresses above the list. */

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { key, signOut } from "../session";
import { underWay } from "../store";
import { Composer } from "./Composer";
import { Confirm } from "./Confirm";
import { Mark } from "./icons";
import { List } from "./List";
import { SignIn } from "./SignIn";
import { Status } from "./Status";
import { Toolbar } from "./Toolbar";

export function App() {
  const busy = key.value === "" ? 0 : underWay.value;
  useEffect(() => {
    document.title = busy > 0 ? `${busy} under way – Reelhaul` : "Reelhaul";
  }, [busy]);
  useFocusAfterSignIn(key.value === "");
  return key.value === "" ? <SignIn /> : <Desk />;
}

/** Whoever has just signed in goes on at the box: the field that had the focus is gone. After a reload nobody is moved. */
function useFocusAfterSignIn(isOut: boolean): void {
  const wasOut = useRef(false);
  useLayoutEffect(() => {
    if (wasOut.current && !isOut) document.getElementById("addresses")?.focus();
    wasOut.current = isOut;
  }, [isOut]);
}

function Desk() {
  return (
    <>
      <a class="skip" href="#list-title">
        Skip to the downloads
      </a>
      <header class="head">
        <h1>
          <Mark /> Reelhaul
        </h1>
        <nav aria-label="Service">
          <a href="docs">API</a>
          <button type="button" class="quiet" onClick={() => signOut()}>
            Sign out
          </button>
        </nav>
      </header>
      <main>
        <Status />
        <Composer />
        <Toolbar />
        <List />
      </main>
      <Confirm />
    </>
  );
}
