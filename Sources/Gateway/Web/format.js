// Text for people from values of the API. Nothing here touches the document.

const clock = new Intl.DateTimeFormat(undefined, {
    hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const dayAndClock = new Intl.DateTimeFormat(undefined, {
    day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});

/** What is shown when there is no value. */
export const nothing = "–";

/** Milliseconds since 1970 of an RFC 3339 time, or NaN. */
export function parseTime(text) {
    return typeof text === "string" ? Date.parse(text) : NaN;
}

/** A moment in the viewer's zone: the time of day, with the date when it is not today. */
export function localTime(ms) {
    if (!Number.isFinite(ms)) return nothing;
    const date = new Date(ms);
    return date.toDateString() === new Date().toDateString() ? clock.format(date) : dayAndClock.format(date);
}

/** The same moment in UTC, to the millisecond. */
export function utcTime(ms) {
    return Number.isFinite(ms) ? new Date(ms).toISOString().replace("T", " ").replace("Z", " UTC") : "";
}

/** A length of time in milliseconds, with the precision that helps at its size. */
export function duration(ms) {
    if (!Number.isFinite(ms)) return nothing;
    if (ms < 0) return "0 s";
    if (ms < 1_000) return `${Math.round(ms)} ms`;
    if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
    const seconds = Math.round(ms / 1_000);
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes}m ${String(seconds % 60).padStart(2, "0")}s`;
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return `${hours}h ${String(minutes % 60).padStart(2, "0")}m`;
    return `${Math.floor(hours / 24)} days`;
}

/** How long ago, in whole seconds and up: an age that is read at a glance and does not flicker. */
export function age(ms) {
    if (!Number.isFinite(ms)) return nothing;
    const seconds = Math.max(0, Math.floor(ms / 1_000));
    return seconds < 60 ? `${seconds} s` : duration(seconds * 1_000);
}

/** A number with at most `digits` decimals, grouped as the viewer's language does. */
export function number(value, digits = 0) {
    if (typeof value !== "number" || !Number.isFinite(value)) return nothing;
    return value.toLocaleString(undefined, { maximumFractionDigits: digits });
}

/** A number with exactly `digits` decimals, for columns. */
export function fixed(value, digits) {
    if (typeof value !== "number" || !Number.isFinite(value)) return nothing;
    return value.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The end of an identifier, where time-ordered ones differ; the whole one belongs in a tooltip. */
export function shortId(id) {
    const text = String(id ?? "");
    return text.length > 10 ? `…${text.slice(-7)}` : text;
}

/** A word of the API as people write it: `in_flight` is "in flight". */
export function words(name) {
    return String(name ?? "").replaceAll("_", " ");
}
