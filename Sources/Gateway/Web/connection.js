// The truth about how fresh the page is. "Live" needs an open stream and a whole picture loaded since it opened;
// anything else dims the data and says from when it is.

import { byId, setData, setText } from "./dom.js";
import { age, localTime, utcTime } from "./format.js";
import { gateway } from "./api.js";

/** A lost connection is "reconnecting" for this long; then what is shown is called stale. */
const STALE_AFTER_MS = 5_000;
/** Without a sign of life for this long nothing is called live: silence is looked into every 4 s, for at most 3 s. */
const DOUBT_AFTER_MS = 8_500;

/**
 * Shows the state of a stream in the header and as `data-connection` of the body: "connecting" (nothing loaded yet),
 * "live", "reconnecting" or "stale". `isWhole()` says whether all the data has been loaded since the stream opened.
 */
export function showConnection(stream, isWhole) {
    const chip = byId("connection");
    const label = byId("connection-label");
    const detail = byId("connection-detail");
    let liveUntil = null;

    function render() {
        const now = Date.now();
        const live = stream.phase === "open" && now - stream.aliveAt < DOUBT_AFTER_MS && isWhole();
        if (live) liveUntil = stream.aliveAt;
        let state = "connecting";
        if (live) state = "live";
        else if (liveUntil !== null) state = now - liveUntil > STALE_AFTER_MS ? "stale" : "reconnecting";
        setData(document.body, "connection", state);

        setText(label, {
            connecting: "Connecting",
            live: "Live",
            reconnecting: "Reconnecting",
            stale: `Stale since ${localTime(liveUntil)}`,
        }[state]);
        const name = gateway.name || "the gateway";
        chip.title = liveUntil === null ? "" : `Last heard from ${name} at ${utcTime(liveUntil)}`;
        setText(detail, describe(stream, live, now));
    }

    setInterval(render, 500);
    return render;
}

function describe(stream, live, now) {
    if (live) {
        if (stream.eventAt === null) return "no event yet";
        return now - stream.eventAt < 2_000 ? "events flowing" : `last event ${age(now - stream.eventAt)} ago`;
    }
    if (stream.phase === "waiting" && stream.retryAt !== null) {
        return `next attempt in ${Math.max(0, Math.ceil((stream.retryAt - now) / 1_000))} s`;
    }
    return stream.phase === "open" ? "loading" : "trying";
}
