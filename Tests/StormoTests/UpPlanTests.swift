import ArgumentParser
import Testing

@testable import Stormo

@Suite struct UpPlanTests {
    private func state(
        earlier: UpState? = nil, cluster: String = "stormo", nodes: Int? = nil, gateways: Int = 1, http: Int? = nil,
        taken: Set<Int> = []
    ) throws -> UpState {
        try UpPlan.state(
            earlier: earlier, cluster: cluster, nodes: nodes, gateways: gateways, http: http, defaultNodes: 3
        ) {
            count, start, except in
            Array((start...).lazy.filter { !taken.contains($0) && !except.contains($0) }.prefix(count))
        }
    }

    @Test func `a first start takes free ports`() throws {
        let state = try state(taken: [7_401, 8_080])
        #expect(state.nodePorts == [7_400, 7_402, 7_403])
        #expect(state.gatewayPorts == [8_081])
        #expect(try self.state(gateways: 2, http: 9_000).gatewayPorts == [9_000, 9_001])
    }

    @Test func `a second start keeps the ports`() throws {
        let first = try state(http: 9_000)
        let second = try state(earlier: first, taken: [7_400])
        #expect(second.nodePorts == first.nodePorts)
        #expect(second.gatewayPorts == [9_000])
        #expect(try state(earlier: first, http: 0).gatewayPorts == [8_080])
        #expect(try state(earlier: first, gateways: 2).gatewayPorts == [8_080, 8_081])
    }

    @Test func `what an earlier start fixed cannot be changed`() throws {
        let first = try state()
        #expect { try state(earlier: first, nodes: 5) } throws: { "\($0)".contains("a cluster of 3 nodes") }
        #expect { try state(earlier: first, cluster: "other") } throws: {
            "\($0)".contains("\"stormo\", not \"other\"")
        }
        #expect { try state(http: 7_400) } throws: { "\($0)".contains("port 7400 is a node's") }
        #expect { try state(gateways: 3, http: 65_534) } throws: { "\($0)".contains("no free ports") }
    }

    @Test func `every child gets what is its own`() throws {
        let plan = UpPlan(
            state: try state(gateways: 2), directory: UpDirectory(path: "/data"), applications: [.fleet, .energy])
        #expect(
            plan.children.map(\.name) == [
                "node-1", "node-2", "node-3", "gateway-1", "gateway-2", "dispatcher", "drone-sim", "order-gen",
                "ingestor", "detector",
                "sensor-sim",
            ])
        #expect(plan.children[1].arguments.contains("/data/node-2"))
        #expect(plan.children[1].arguments.contains("127.0.0.1:7401"))
        #expect(plan.children[4].arguments.contains("127.0.0.1:8081"))
        #expect(plan.children[0].arguments.suffix(2) == ["--bootstrap-expect", "3"])
        for child in plan.children {
            #expect(throws: Never.self, "\(child.name)") { try StormoCommand.parseAsRoot(child.arguments) }
        }
        let bare = UpPlan(state: try state(gateways: 0), directory: UpDirectory(path: "/data"), applications: [])
        #expect(bare.children.map(\.name) == ["node-1", "node-2", "node-3"])
    }

    @Test func `what is given to up reaches the children, and no secret stands in the open`() {
        let environment = UpPlan.environment(
            ["HOME": "/root", "STORMO_SECRET": "hush hush hush hush"],
            flags: ["log-level": "debug", "agent.speed": "60", "up.nodes": "5"],
            definitions: UpCommand.Scope.definitions, secretPath: "/data/secret")
        #expect(
            environment == [
                "HOME": "/root", "STORMO_LOG_LEVEL": "debug", "STORMO_AGENT_SPEED": "60",
                "STORMO_SECRET_FILE": "/data/secret",
                "STORMO_LIFELINE": "stdin",
            ])
    }

    @Test func `the status line tells what there is`() {
        var line = UpStatusLine(
            elapsedMs: 3_723_000, nodesAlive: 2, nodes: 3, epoch: 4, gatewaysRunning: 1, gateways: 1, agentsRunning: 5,
            agents: 6,
            restarts: 1, processorPercent: 45, residentBytes: 300 << 20)
        #expect(
            line.text
                == "01:02:03 · nodes 2/3 alive · ring 4 · gateways 1/1 · agents 5/6 · restarts 1 · cpu 45 % · 300 MiB")
        line.epoch = nil
        line.agents = 0
        line.restarts = 0
        #expect(line.stable == "nodes 2/3 alive · no ring yet · gateways 1/1")
    }
}
