// Server-sent events read with fetch instead of EventSource: so the page sees the keep-alive comments (and knows a
// dead connection from a quiet one), the status and problem of a refusal, and can send its token.

import { Problem, call, send } from "./api.js";

/** An event longer than this (characters) means a peer gone wrong: the stream is dropped. */
const EVENT_LENGTH_MAX = 1 << 20;
/** Silence after which an open stream counts as dead: the gateway writes a comment every 15 s. */
const SILENCE_MAX_MS = 22_000;
/** After this much silence the gateway is asked whether it is there, and must answer within this time. */
const PROBE_AFTER_MS = 4_000;
const PROBE_TIMEOUT_MS = 3_000;
/** How long opening a stream may take. */
const OPEN_TIMEOUT_MS = 10_000;
/** First and longest pause between attempts; each failure doubles it, and a random part spreads many pages. */
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 15_000;
/** A stream that stayed open this long was good: the next failure starts again with the shortest pause. */
const GOOD_AFTER_MS = 5_000;

/** The parser of the HTML standard's event stream format, fed with text in pieces of any size. */
export class EventParser {
    #line = "";
    #data = [];
    #length = 0;
    #name = "";
    #afterReturn = false;
    lastEventId = "";
    #id = "";

    constructor({ onEvent, onRetry = () => {} }) {
        this.onEvent = onEvent;
        this.onRetry = onRetry;
    }

    push(text) {
        let start = 0;
        if (this.#afterReturn && text.length > 0) {
            this.#afterReturn = false;
            if (text[0] === "\n") start = 1;
        }
        const breaks = /\r\n|\r|\n/g;
        breaks.lastIndex = start;
        for (let match = breaks.exec(text); match; match = breaks.exec(text)) {
            const line = this.#line + text.slice(start, match.index);
            this.#line = "";
            start = breaks.lastIndex;
            // A return at the end of a piece may have its newline in the next one.
            if (match[0] === "\r" && start === text.length) this.#afterReturn = true;
            this.#take(line);
        }
        this.#line += text.slice(start);
        if (this.#line.length > EVENT_LENGTH_MAX) throw new Error("an event of the stream is too long");
    }

    #take(line) {
        if (line === "") return this.#dispatch();
        const colon = line.indexOf(":");
        if (colon === 0) return;
        const field = colon < 0 ? line : line.slice(0, colon);
        let value = colon < 0 ? "" : line.slice(colon + 1);
        if (value[0] === " ") value = value.slice(1);
        switch (field) {
            case "data":
                this.#length += value.length;
                if (this.#length > EVENT_LENGTH_MAX) throw new Error("an event of the stream is too long");
                this.#data.push(value);
                break;
            case "event":
                this.#name = value;
                break;
            case "id":
                if (!value.includes("\0")) this.#id = value;
                break;
            case "retry":
                if (/^[0-9]+$/.test(value)) this.onRetry(Number(value));
                break;
        }
    }

    #dispatch() {
        this.lastEventId = this.#id;
        const [data, name] = [this.#data, this.#name];
        this.#data = [];
        this.#length = 0;
        this.#name = "";
        if (data.length > 0) this.onEvent(name || "message", data.join("\n"), this.lastEventId);
    }
}

/**
 * A stream kept open: reconnects with growing pauses, and always says where it stands.
 * `onEvent(name, data)` gets each event's JSON; `onOpen()` each new connection; `onChange()` each change of `phase`.
 * With `resume` a new connection continues after the last event seen; without, it starts at the present.
 */
export class EventStream {
    /** "connecting", "open", or "waiting" for the next attempt. */
    phase = "connecting";
    /** When the last byte, the last event, and the last sign of life came (ms since 1970). */
    heardAt = null;
    eventAt = null;
    aliveAt = null;
    /** When the next attempt is due, and why the last one ended. */
    retryAt = null;
    problem = null;
    #abort = null;
    #wake = null;
    #failures = 0;
    #isRestarting = false;
    #isProbing = false;
    #pauseMin = PAUSE_MIN_MS;
    #lastEventId = "";

    constructor(path, { onEvent, onOpen, onChange, resume = false }) {
        Object.assign(this, { path, onEvent, onOpen, onChange, resume });
    }

    /** Opens the stream, and keeps it open from now on. */
    start() {
        setInterval(() => this.#watch(), 1_000);
        addEventListener("online", () => this.retryNow());
        addEventListener("pagehide", () => this.#abort?.abort());
        this.#run();
    }

    /** Ends a pause between attempts. */
    retryNow() {
        this.#wake?.();
    }

    /** Drops the connection, for the reason given, and makes a new one at once. */
    restart(problem) {
        this.#isRestarting = true;
        this.#failures = 0;
        this.#abort?.abort(problem);
        this.retryNow();
    }

    #hear() {
        this.heardAt = this.aliveAt = Date.now();
    }

    /** A stream may be quiet for long, and a frozen gateway keeps its connections: silence is looked into. */
    async #watch() {
        if (this.phase !== "open" || this.#isProbing) return;
        const now = Date.now();
        if (now - this.heardAt > SILENCE_MAX_MS) {
            return this.restart(Problem.unreachable("Its stream of events fell silent."));
        }
        if (now - this.aliveAt < PROBE_AFTER_MS) return;
        const watched = this.#abort;
        this.#isProbing = true;
        try {
            await call("GET", "/ready", { timeoutMs: PROBE_TIMEOUT_MS });
            this.aliveAt = Date.now();
        } catch (problem) {
            // Any answer is a sign of life.
            if (!problem.isUnreachable) this.aliveAt = Date.now();
            else if (this.#abort === watched) this.restart(problem);
        } finally {
            this.#isProbing = false;
        }
    }

    #enter(phase) {
        this.phase = phase;
        this.onChange();
    }

    async #run() {
        for (;;) {
            let openedAt = null;
            this.#isRestarting = false;
            this.#enter("connecting");
            this.#abort = new AbortController();
            try {
                const body = await this.#open(this.#abort);
                openedAt = Date.now();
                await this.#read(body);
                throw Problem.unreachable("It closed the stream of events.");
            } catch (error) {
                const problem = [this.#abort.signal.reason, error].find((reason) => reason instanceof Problem);
                this.problem = problem ?? Problem.unreachable(error.message);
                this.#abort.abort();
            }
            if (this.#isRestarting) continue;
            this.#failures = openedAt !== null && Date.now() - openedAt > GOOD_AFTER_MS ? 1 : this.#failures + 1;
            const pause = Math.min(PAUSE_MAX_MS, this.#pauseMin * 2 ** Math.min(this.#failures - 1, 10));
            const wait = this.problem.retryAfterMs ?? pause * (0.75 + Math.random() / 2);
            this.retryAt = Date.now() + wait;
            this.#enter("waiting");
            await new Promise((resume) => {
                const timer = setTimeout(resume, wait);
                this.#wake = () => {
                    clearTimeout(timer);
                    resume();
                };
            });
            this.#wake = null;
        }
    }

    async #open(abort) {
        const headers = { Accept: "text/event-stream" };
        if (this.resume && this.#lastEventId) headers["Last-Event-ID"] = this.#lastEventId;
        const timer = setTimeout(() => abort.abort(Problem.unreachable("It did not answer in time.")), OPEN_TIMEOUT_MS);
        try {
            const response = await send(this.path, { headers, signal: abort.signal });
            if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
                throw Problem.unreachable(`${this.path} did not answer with a stream of events.`);
            }
            this.#hear();
            this.problem = null;
            this.retryAt = null;
            this.#enter("open");
            this.onOpen();
            return response.body;
        } finally {
            clearTimeout(timer);
        }
    }

    async #read(body) {
        const parser = new EventParser({
            onEvent: (name, data, id) => {
                this.#lastEventId = id;
                this.#deliver(name, data);
            },
            onRetry: (ms) => {
                this.#pauseMin = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MIN_MS, ms));
            },
        });
        const reader = body.getReader();
        const decoder = new TextDecoder();
        for (;;) {
            const { done, value } = await reader.read();
            if (done) return;
            this.#hear();
            parser.push(decoder.decode(value, { stream: true }));
        }
    }

    #deliver(name, data) {
        let value;
        try {
            value = JSON.parse(data);
        } catch {
            console.warn(`${this.path}: an event "${name}" is not JSON and was left out`);
            return;
        }
        this.eventAt = Date.now();
        this.onEvent(name, value);
    }
}
