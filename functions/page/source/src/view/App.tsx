/** The whole page: a sign-in, and behind it a box for addresses above the list. */

import { useEffect } from "preact/hooks";
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
  return key.value === "" ? <SignIn /> : <Desk />;
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
