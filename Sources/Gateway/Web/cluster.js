// The cluster page: the ring, its nodes and what they are busy with, asked for every few seconds.

import { byId, el, setData, setText } from "./dom.js";
import { gateway, get } from "./api.js";
import { bytes, change, hitRate, progress, work } from "./cluster-figures.js";
import { fixed, localTime, nothing, number } from "./format.js";
import { poll } from "./poll.js";
import { setUpHealth } from "./health.js";
import { setUpSignIn } from "./signin.js";

/** How often the ring and the figures are asked for (ms). */
const EVERY_MS = 2_000;
/** What is shown is called stale when nothing has come for this long (ms). */
const STALE_AFTER_MS = 8_000;

const stateLevels = { alive: "good", suspect: "warn", dead: "bad", left: "bad", unknown: "" };

let shownAt = null;

setUpSignIn();
setUpHealth();
poll("ring and figures", EVERY_MS, async () => {
    const [ring, stats] = await Promise.all([get("/sharding/info"), get("/stats")]);
    showRing(ring);
    showNodes(ring.nodes, new Map(stats.nodes.map((node) => [node.id, node])));
    setText(byId("served-by"), gateway.name ? `served by ${gateway.name}` : "");
    shownAt = Date.now();
    renderAge();
});
setInterval(renderAge, 1_000);

function renderAge() {
    if (shownAt === null) return;
    const isLive = Date.now() - shownAt < STALE_AFTER_MS;
    setData(document.body, "connection", isLive ? "live" : "stale");
    setText(byId("connection-label"), isLive ? "Live" : `Stale since ${localTime(shownAt)}`);
    setText(byId("connection-detail"), isLive ? "asked every 2 s" : "trying");
}

function showRing(ring) {
    const wanted = ring.replicas === ring.replication_factor ? "" : ` (${ring.replication_factor} wanted)`;
    setText(byId("ring-epoch"), `Ring ${ring.epoch}`);
    setText(byId("ring-copies"), `${ring.replicas} copies of every key${wanted}`);
    const transition = ring.transition ?? null;
    setData(document.body, "change", transition ? transition.kind : "none");
    byId("change").hidden = transition === null;
    setText(byId("ring-rest"), transition ? "changing" : "at rest");
    byId("ring-rest").className = transition ? "chip info" : "chip good";
    if (!transition) return;
    setText(byId("change-words"), change(transition));
    setText(byId("change-progress"), progress(transition.progress));
    const bar = byId("change-bar");
    bar.max = Math.max(1, transition.progress?.ranges_total ?? 1);
    bar.value = transition.progress?.ranges_done ?? 0;
}

function showNodes(members, stats) {
    setData(document.body, "nodes", members.length);
    const sorted = [...members].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    byId("node-rows").replaceChildren(...sorted.map((member) => row(member, stats.get(member.id))));
}

function row(member, told) {
    const figures = told?.stats ?? null;
    const hits = figures ? hitRate(figures) : null;
    const busy = figures
        ? work(figures).map(({ text, level }) => el("span", { class: `chip ${level}` }, text))
        : [el("span", { class: "chip bad", title: told?.error ?? "" }, "does not tell")];
    return el(
        "tr", { data: { node: member.name } },
        el("th", { scope: "row", title: member.id }, member.name),
        el("td", {}, el("span", { class: `chip ${stateLevels[member.state] ?? ""}` }, member.state)),
        el("td", {}, member.zone || nothing),
        el("td", {}, member.address),
        el("td", { class: "n" }, `${fixed(member.owns * 100, 1)} %`),
        el("td", { class: "n" }, number(figures?.storage_keys_approximate)),
        el("td", { class: "n" }, bytes(figures?.storage_sqlite_bytes)),
        el("td", { class: "n" }, hits === null ? nothing : `${fixed(hits, 1)} %`),
        el("td", { class: "busy" }, ...busy));
}
