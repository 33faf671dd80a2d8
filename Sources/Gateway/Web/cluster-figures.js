// What the figures of nodes mean, in words for people. Nothing here touches the document.

import { age, duration, number } from "./format.js";

const sizes = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A number of bytes, in the unit that suits its size. */
export function bytes(value) {
    if (typeof value !== "number" || !Number.isFinite(value)) return number(value);
    let size = value;
    let unit = 0;
    while (size >= 1_024 && unit < sizes.length - 1) {
        size /= 1_024;
        unit += 1;
    }
    return `${number(size, unit === 0 ? 0 : 1)} ${sizes[unit]}`;
}

/** What a node is busy with beside its callers, each as `{ text, level }`; the level is that of a chip. */
export function work(figures) {
    const found = [];
    const figure = (name) => figures[name] ?? 0;
    if (figure("storage_read_only") > 0) found.push({ text: "takes no writes: disk full or failed", level: "bad" });
    if (figure("amnesia") > 0) {
        const ranges = `${number(figure("amnesia_ranges_done"))} of ${number(figure("amnesia_ranges_total"))}`;
        found.push({ text: `fetches its lost copies: ${ranges} ranges`, level: "warn" });
    }
    if (figure("registers_damaged") > 0) {
        found.push({ text: `mends ${number(figure("registers_damaged"))} damaged keys`, level: "warn" });
    }
    if (figure("hints_pending") > 0) {
        const oldest = age(figure("hints_oldest_ms"));
        found.push({
            text: `keeps ${number(figure("hints_pending"))} writes for others, ${oldest} old`, level: "warn",
        });
    }
    if (figure("transfer_ranges_total") > 0) {
        const ranges = `${number(figure("transfer_ranges_done"))} of ${number(figure("transfer_ranges_total"))}`;
        found.push({ text: `copies: ${ranges} ranges`, level: "info" });
    }
    if (figure("repair_running") > 0) {
        found.push({ text: `compares: ${number(figure("repair_ranges_left"))} ranges left`, level: "info" });
    }
    return found;
}

/** Reads that the cache answered, of all that asked it, in percent; null before the first. */
export function hitRate(figures) {
    const hits = figures.storage_cache_hits_total ?? 0;
    const all = hits + (figures.storage_cache_misses_total ?? 0);
    return all > 0 ? (100 * hits) / all : null;
}

/** What a change of the ring does, in words. */
export function change(transition) {
    const names = (layout) => layout?.nodes ?? [];
    const [before, after] = [names(transition.from), names(transition.to)];
    const joining = after.filter((name) => !before.includes(name)).join(", ");
    const leaving = before.filter((name) => !after.includes(name)).join(", ");
    switch (transition.kind) {
        case "add-node": return `${joining} joins`;
        case "remove-node": return `${leaving} leaves`;
        case "replace-node": return `${joining} takes the place of ${leaving}`;
        default: return `from ${transition.from?.replicas} to ${transition.to?.replicas} copies of every key`;
    }
}

/** How far a change is, in words. */
export function progress(told) {
    if (!told || told.ranges_total === 0) return "waiting for the nodes that copy";
    const parts = [
        `${number(told.ranges_done)} of ${number(told.ranges_total)} ranges`, `${number(told.keys_copied)} keys`,
        bytes(told.bytes_copied),
    ];
    if (told.seconds_left > 0) parts.push(`about ${duration(told.seconds_left * 1_000)} left`);
    return parts.join(" · ");
}
