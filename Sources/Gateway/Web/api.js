// Calls to the gateway: JSON in and out, problems (RFC 9457) as errors, the session's token in memory only.

/** How long a call may take before it counts as lost, in milliseconds. */
const CALL_TIMEOUT_MS = 10_000;

/** A call that failed: what the gateway said, or that it could not be reached (`status` 0). */
export class Problem extends Error {
    constructor({ status, code, title, detail, fields = [], retryAfterMs = null }) {
        super(detail || title);
        this.name = "Problem";
        this.status = status;
        this.code = code;
        this.title = title;
        this.detail = detail;
        /** Names of the fields that were refused, each with its reason: `[{name, reason}]`. */
        this.fields = fields;
        this.retryAfterMs = retryAfterMs;
    }

    /** True when nobody answered, rather than answered with a refusal. */
    get isUnreachable() {
        return this.status === 0;
    }

    static unreachable(reason) {
        return new Problem({ status: 0, code: "unreachable", title: "The gateway cannot be reached", detail: reason });
    }

    /** Reads the problem out of an answer, whatever its body turns out to be. */
    static async from(response) {
        let body = {};
        try {
            body = await response.json();
        } catch {
            // Not JSON (a proxy's page, perhaps): the status has to do.
        }
        const retryAfter = Number.parseFloat(response.headers.get("Retry-After"));
        return new Problem({
            status: response.status,
            code: typeof body.code === "string" ? body.code : `http_${response.status}`,
            title: typeof body.title === "string" ? body.title : response.statusText || `HTTP ${response.status}`,
            detail: typeof body.detail === "string" ? body.detail : "",
            fields: readFields(body.errors),
            retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1_000 : null,
        });
    }
}

/** The refused fields of a 422. */
function readFields(errors) {
    if (!Array.isArray(errors)) return [];
    return errors.map((error) => ({ name: String(error?.field ?? ""), reason: String(error?.detail ?? "") }));
}

/** Who is signed in on this page. Fires `change`; and `needed` when a call was refused for want of a token. */
class Session extends EventTarget {
    token = null;
    role = null;
    username = null;

    async signIn(username, password) {
        const { body } = await call("POST", "/login", { body: { username, password } });
        this.token = body.token;
        this.role = body.role ?? null;
        this.username = username;
        this.dispatchEvent(new Event("change"));
    }

    async signOut() {
        try {
            await call("POST", "/logout");
        } finally {
            this.token = null;
            this.role = null;
            this.username = null;
            this.dispatchEvent(new Event("change"));
        }
    }
}

export const session = new Session();

/** What the answers say about the gateway: its name and how far its clock is from ours. */
export const gateway = { name: "", clockOffsetMs: 0 };

/** The gateway's time, in milliseconds since 1970. Ages are counted in it, since the viewer's clock may be wrong. */
export function serverNow() {
    return Date.now() + gateway.clockOffsetMs;
}

function learn(response) {
    gateway.name = response.headers.get("X-Served-By") ?? gateway.name;
    const date = Date.parse(response.headers.get("Date") ?? "");
    if (!Number.isFinite(date)) return;
    // The header has whole seconds: below two of them a difference says nothing.
    const offset = date + 500 - Date.now();
    gateway.clockOffsetMs = Math.abs(offset) > 2_000 ? offset : 0;
}

/**
 * The answer to a request, with the session's token. Throws a `Problem` when nobody answers, or when the status is
 * not a success.
 */
export async function send(path, options = {}) {
    const headers = new Headers(options.headers);
    if (session.token) headers.set("Authorization", `Bearer ${session.token}`);
    let response;
    try {
        response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "same-origin" });
    } catch (error) {
        if (options.signal?.aborted && options.signal.reason instanceof Problem) throw options.signal.reason;
        if (error.name === "TimeoutError") throw Problem.unreachable("It did not answer in time.");
        throw Problem.unreachable("");
    }
    learn(response);
    if (response.ok) return response;
    const problem = await Problem.from(response);
    if (problem.status === 401 && path !== "/login") session.dispatchEvent(new Event("needed"));
    throw problem;
}

/** Calls the gateway with JSON and returns `{ body, etag }`. */
export async function call(method, path, { body, headers = {}, timeoutMs = CALL_TIMEOUT_MS } = {}) {
    const response = await send(path, {
        method,
        headers: {
            Accept: "application/json",
            ...(body === undefined ? {} : { "Content-Type": "application/json" }),
            ...headers,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
    });
    try {
        const text = await response.text();
        return { body: text === "" ? null : JSON.parse(text), etag: response.headers.get("ETag") };
    } catch {
        throw Problem.unreachable("Its answer broke off or was not JSON.");
    }
}

/** The JSON at a path. */
export async function get(path) {
    return (await call("GET", path)).body;
}

/** Every item of a list, page by page, up to `pagesMax` pages of 1,000. */
export async function getAll(path, pagesMax) {
    const items = [];
    let cursor = null;
    for (let page = 0; page < pagesMax; page += 1) {
        const query = new URLSearchParams({ limit: "1000" });
        if (cursor) query.set("cursor", cursor);
        const body = await get(`${path}?${query}`);
        items.push(...body.items);
        cursor = body.next_cursor;
        if (!cursor) break;
    }
    return items;
}
