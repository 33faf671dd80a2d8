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
            if (problem.isUnreachable) {
                show(node, "unknown", "Cluster unknown");
                throw problem;
            }
            // A 503 is an answer too: some range has no quorum.
            show(node, "unavailable", problem.status === 503 ? "Cluster unavailable" : problem.title);
            return;
        }
        const nodes = health.nodes ?? {};
        const count = `${nodes.alive ?? "?"}/${nodes.total ?? "?"} nodes`;
        show(node, health.status, health.status === "ok" ? count : `${count}, ${health.status}`);
        node.title = `Cluster ${health.status}, epoch ${health.epoch ?? "?"}, version ${health.version ?? "?"}`;
    });
}

function show(node, status, text) {
    setData(node, "status", status);
    setText(node, text);
}
