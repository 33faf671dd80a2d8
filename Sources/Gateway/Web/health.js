// The cluster's health in the header.

import { byId, setData, setText } from "./dom.js";
import { call } from "./api.js";
import { poll } from "./poll.js";

/** Asks for the health every 10 s; while the gateway itself is out of reach the connection's chip says so instead. */
export function setUpHealth() {
    const node = byId("health");
    poll("health", 10_000, async () => {
        let health;
        try {
            health = (await call("GET", "/health")).body;
        } catch (problem) {
            // A 503 is an answer too: some range has no quorum.
            show(node, problem.isUnreachable ? "unknown" : "unavailable", problem.isUnreachable ? "Cluster unknown" : "No quorum");
            if (problem.isUnreachable) throw problem;
            return;
        }
        const nodes = health.nodes ?? {};
        show(node, health.status, `${nodes.alive ?? "?"}/${nodes.total ?? "?"} nodes${health.status === "ok" ? "" : ` ${health.status}`}`);
        node.title = `Cluster ${health.status}, epoch ${health.epoch ?? "?"}, version ${health.version ?? "?"}`;
    });
}

function show(node, status, text) {
    setData(node, "status", status);
    setText(node, text);
}
