import { render } from "preact";

import "./page.css";

const place = document.getElementById("page");
if (place !== null) {
  render(<h1>Reelhaul</h1>, place);
}
