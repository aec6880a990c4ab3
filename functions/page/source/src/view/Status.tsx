/** What keeps the page from telling the truth: no connection, a clock that is off. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { said } from "../announce";
import { isOff, skewMs } from "../clock";
import { sentenceFor } from "../failures";
import { trouble, tryNow } from "../updates";
import { lasting } from "../words";
import { useHandingOn } from "./focus";

export function Status() {
  return (
    <>
      <p class="unseen" role="status" aria-live="polite">
        {said}
      </p>
      {trouble.value !== null && <Lost />}
      {isOff() && <Clock />}
    </>
  );
}

function Lost() {
  const leftS = useSignal(0);
  const place = useHandingOn<HTMLDivElement>();
  useEffect(() => {
    const look = () => (leftS.value = Math.max(0, ((trouble.peek()?.againAt ?? 0) - Date.now()) / 1000));
    look();
    const timer = window.setInterval(look, 1000);
    return () => window.clearInterval(timer);
  }, [trouble.value]);
  if (trouble.value === null) return null;
  return (
    <div class="notice bad" ref={place}>
      <p>
        {sentenceFor(trouble.value.failure)} Trying again {leftS.value < 1 ? "now" : `in ${lasting(leftS.value)}`}.
      </p>
      <button type="button" onClick={tryNow}>
        Try now
      </button>
    </div>
  );
}

function Clock() {
  const isBehind = skewMs.value > 0;
  return (
    <div class="notice">
      <p>
        This device's clock is {lasting(Math.abs(skewMs.value) / 1000)} {isBehind ? "behind" : "ahead of"} the service's. Times
        on this page follow the service; set the device's clock so that other things work, too.
      </p>
    </div>
  );
}
