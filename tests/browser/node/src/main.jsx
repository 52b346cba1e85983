// A shop as React draws it: state, routes and lists. With ?hydrate it is drawn as if by a server first, and React
// takes it over when a test calls hydrate(). window.shop changes its state, window.failures tells what went wrong.
import { StrictMode, useEffect, useState } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { flushSync } from "react-dom";
import { renderToString } from "react-dom/server";

window.failures = [];

function Phone({ number, plain }) {
  return plain ? <b id="phone">{number}</b> : <a id="phone" href={`tel:${number}`} title={`Call ${number}`}>Call {number} now</a>;
}

function Branches({ count, number }) {
  return (
    <ul>
      {Array.from({ length: count }, (_, place) => (
        <li key={place}>
          Branch {place}: <i>{number.slice(0, -4)}</i>
          {number.slice(-4)}
        </li>
      ))}
    </ul>
  );
}

function App() {
  const [state, setState] = useState({ number: "020 7946 0000", ticks: 0, branches: 3, plain: false, route: "/" });
  useEffect(() => {
    window.shop = (change) => flushSync(() => setState((now) => ({ ...now, ...change })));
  }, []);
  return (
    <main>
      <h1 id="route">{state.route}</h1>
      <p id="ticks">
        {state.ticks} visitors called {state.number} today
      </p>
      {state.route !== "/bare" && <Phone number={state.number} plain={state.plain} />}
      <p id="marked" data-leaseline="main">
        Ring <b>us</b> {state.ticks}
      </p>
      <Branches count={state.branches} number={state.number} />
    </main>
  );
}

const root = document.getElementById("root");
const note = { onUncaughtError: (error) => failures.push(`uncaught ${error}`) };
const app = (
  <StrictMode>
    <App />
  </StrictMode>
);
if (location.search === "?hydrate") {
  root.innerHTML = renderToString(app);
  window.hydrate = () => hydrateRoot(root, app, { ...note, onRecoverableError: () => (window.mismatches = (window.mismatches || 0) + 1) });
} else createRoot(root, note).render(app);
