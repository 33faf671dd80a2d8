// Asking again and again, politely: one call at a time, growing pauses while it fails, none while nobody looks.

import { report, resolved } from "./problems.js";
import { session } from "./api.js";

/** The longest pause between two attempts of something that fails, in milliseconds. */
const PAUSE_MAX_MS = 30_000;

/**
 * Runs `work` now and then every `everyMs`. Failures go to the banner under the name `part` and are tried again
 * later, at `Retry-After` when the gateway names one. `now()` runs it at once; `failedSince` is when it last worked
 * no more, or null.
 */
export function poll(part, everyMs, work) {
    const state = { failedSince: null, failures: 0, now: () => {} };

    async function run() {
        for (;;) {
            let wait = everyMs;
            let asked = false;
            state.now = () => {
                asked = true;
            };
            try {
                await work();
                state.failures = 0;
                state.failedSince = null;
                resolved(part);
            } catch (error) {
                if (!("status" in error)) console.error(error);
                state.failures += 1;
                state.failedSince ??= Date.now();
                report(part, error);
                wait = error.retryAfterMs ?? Math.min(PAUSE_MAX_MS, everyMs * 2 ** Math.min(state.failures - 1, 8));
            }
            if (!asked) await pause(wait, state);
        }
    }

    session.addEventListener("change", () => state.now());
    run();
    return state;
}

/** Waits, then until the page is visible; `state.now()` ends the wait. */
function pause(ms, state) {
    return new Promise((resume) => {
        const timer = setTimeout(() => {
            if (!document.hidden) return end();
            document.addEventListener("visibilitychange", end, { once: true });
        }, ms);
        function end() {
            clearTimeout(timer);
            document.removeEventListener("visibilitychange", end);
            resume();
        }
        state.now = end;
    });
}
