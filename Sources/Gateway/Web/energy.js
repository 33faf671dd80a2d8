// The energy page: brings the floors, the alerts and the thresholds together with the stream of alerts.

import { byId, onThemeChange, setText, throttled } from "./dom.js";
import { gateway, get, session } from "./api.js";
import { EventStream } from "./sse.js";
import { poll } from "./poll.js";
import { showConnection } from "./connection.js";
import { setUpSignIn } from "./signin.js";
import { setUpHealth } from "./health.js";
import { loadLibrary } from "./library.js";
import { Floors, floorNumber } from "./energy-floors.js";
import { Alerts } from "./energy-alerts.js";
import { Thresholds } from "./energy-thresholds.js";

/** How often the floors' latest readings, the unread count and the thresholds are asked for (ms). */
const FLOORS_EVERY_MS = 4_000;
const UNREAD_EVERY_MS = 10_000;
const THRESHOLDS_EVERY_MS = 15_000;
/** Alerts are pushed; the list is read again now and then in case one was lost, and soon after a push (ms). */
const ALERTS_EVERY_MS = 60_000;
const SETTLE_MS = 1_000;
/** Floors on the page: at first, with each press of "more", and at most (one page of the list). */
const FLOORS_STEP = 60;
const FLOORS_MAX = 1_000;

/** Counts the stream's connections: a list is current when it was read since the last one began. */
let connection = 0;
let floorsAsOf = -1;
let alertsAsOf = -1;
let floorsWanted = FLOORS_STEP;

const floors = new Floors();
const thresholds = new Thresholds({
    onChange: () => {
        floors.thresholds = thresholds.value;
        floors.render();
    },
});
const alerts = new Alerts({
    onStale: () => {
        alertsPoll.now();
        unreadPoll.now();
    },
});

byId("thresholds-sign-in").querySelector("button").addEventListener("click", setUpSignIn());
setUpHealth();

const floorsPoll = poll("floors", FLOORS_EVERY_MS, async () => {
    const began = connection;
    const { items, next_cursor: next } = await get(`/floors?limit=${floorsWanted}`);
    floors.show(items);
    thresholds.offer(floors.numbers);
    byId("more-floors").hidden = !next || floorsWanted >= FLOORS_MAX;
    setText(byId("served-by"), gateway.name ? `served by ${gateway.name}` : "");
    setText(byId("floors-empty"), "No floor has sent a reading yet. Floors appear here with their first one.");
    floorsAsOf = began;
});
const alertsPoll = poll("alerts", ALERTS_EVERY_MS, async () => {
    const began = connection;
    await alerts.load();
    alertsAsOf = began;
});
const unreadPoll = poll("unread alerts", UNREAD_EVERY_MS, () => alerts.loadUnread());
poll("thresholds", THRESHOLDS_EVERY_MS, () => thresholds.load());

const settle = throttled(SETTLE_MS, () => {
    floorsPoll.now();
    alertsPoll.now();
    unreadPoll.now();
});
const stream = new EventStream("/anomalies/stream", {
    resume: true,
    onEvent: (name, document) => {
        if (name === "anomaly") alerts.apply(document);
        // A "reset" too: the lists are read again.
        settle();
    },
    onOpen: () => {
        connection += 1;
        settle();
    },
    onChange: () => renderConnection(),
});
// The readings are asked for, not pushed: the page is live only while that works too.
const renderConnection = showConnection(stream, () => (
    floorsAsOf === connection && alertsAsOf === connection && floorsPoll.failedSince === null));
stream.start();

session.addEventListener("change", () => stream.restart());
setInterval(() => floors.render(), 1_000);
onThemeChange(() => floors.redrawCharts());

for (const choice of byId("reading-count").querySelectorAll("input")) {
    choice.addEventListener("change", () => {
        floors.count = Number(choice.value);
        floors.render();
    });
}
byId("more-floors").addEventListener("click", () => {
    floorsWanted = Math.min(FLOORS_MAX, floorsWanted + FLOORS_STEP);
    floorsPoll.now();
});
byId("find-floor").addEventListener("submit", (event) => {
    event.preventDefault();
    const floor = floorNumber(byId("floor"));
    if (floor === null) return;
    const card = floors.card(floor);
    floors.render();
    card.node.scrollIntoView({ block: "center" });
    card.node.focus({ preventScroll: true });
});

floors.Chart = await loadLibrary({
    part: "charts", name: "Chart", packageName: "libjs-chart.js", place: byId("charts-missing"),
    addresses: ["/lib/chart.js/chart.min.js", "/lib/chart.js/chart.js"],
});
byId("charts-missing").hidden = floors.Chart !== null;
document.body.dataset.charts = floors.Chart ? "drawn" : "missing";
floors.redrawCharts();
