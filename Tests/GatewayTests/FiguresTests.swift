import FleetRules
import StormoClient
import Testing
import Wire

@testable import Gateway

struct ServiceLevelsTests {
    private func delivery(
        _ id: String, _ status: DeliveryStatus, at: Int64, assigned: Int64? = nil, delivered: Int64? = nil,
        revision: Int
    ) -> Delivery {
        let place = GeoPoint(latitude: 41.9, longitude: 12.5)
        return Delivery(
            id: id, status: status, origin: place, destination: place, weightKg: 1, timestampMs: at, zone: nil,
            droneID: nil,
            assignedAtMs: assigned, pickedUpAtMs: nil, deliveredAtMs: delivered, etaMs: nil, reason: nil, token: nil,
            revision: revision, marks: [])
    }

    @Test func quantilesByNearestRank() {
        let quantiles = ServiceLevels.Quantiles((1...100).map { Int64($0) }.shuffled())
        #expect(quantiles.p50 == 50)
        #expect(quantiles.p95 == 95)
        #expect(quantiles.p99 == 99)
        let few = ServiceLevels.Quantiles([7, 3])
        #expect(few.p50 == 3)
        #expect(few.p99 == 7)
        #expect(ServiceLevels.Quantiles([]).p50 == nil)
    }

    @Test func countsWhatHappenedWithinTheWindow() {
        var levels = ServiceLevels(deliveriesMax: 100)
        let now: Int64 = 10_000_000
        levels.handle(delivery("a", .pending, at: now - 5_000, revision: 1), nowMs: now)
        levels.handle(delivery("b", .assigned, at: now - 9_000, assigned: now - 8_000, revision: 2), nowMs: now)
        levels.handle(delivery("b", .pending, at: now - 9_000, revision: 1), nowMs: now)
        levels.handle(
            delivery(
                "c", .delivered, at: now - 600_000, assigned: now - 590_000, delivered: now - 100_000, revision: 4),
            nowMs: now)
        levels.handle(
            delivery(
                "d", .delivered, at: now - 900_000, assigned: now - 890_000, delivered: now - 400_000, revision: 4),
            nowMs: now - 400_000)
        let figures = levels.figures(nowMs: now)
        let counts = Dictionary(uniqueKeysWithValues: figures.byStatus.map { ($0.status, $0.count) })
        #expect(counts[.pending] == 1)
        #expect(counts[.assigned] == 1)
        #expect(counts[.delivered] == 1)
        #expect(figures.assignment.p50 == 1_000)
        #expect(figures.assignment.count == 1)
        #expect(figures.delivery.p50 == 500_000)
        #expect(figures.deliveriesPerMinute == 0.2)
        #expect(levels.count == 3)
    }

    @Test func staysBounded() {
        var levels = ServiceLevels(deliveriesMax: 50)
        for index in 0..<500 {
            levels.handle(delivery("d\(index)", .pending, at: Int64(index), revision: 1), nowMs: 1_000)
        }
        #expect(levels.count <= 50)
    }
}

struct ClusterHealthTests {
    private func cluster(_ states: [MemberState], factor: Int = 3) -> ClusterState {
        let members = states.indices.map {
            RingMember(id: NodeID(UInt64($0 + 1)), name: "n\($0)", address: "h:\($0)", zone: "z\($0)", virtualNodes: 8)
        }
        let infos = states.enumerated().map { index, state in
            MemberInfo(
                identity: PeerIdentity(
                    role: .node, id: members[index].id, name: members[index].name, incarnation: 1,
                    address: members[index].address),
                state: state)
        }
        return ClusterState(
            name: "c", answeredBy: NodeID(1),
            ring: Ring(
                clusterID: ClusterID(high: 1, low: 1), epoch: Epoch(4), replicationFactor: factor, members: members),
            members: infos)
    }

    @Test func judges() {
        #expect(ClusterHealth.judge(cluster([.alive, .alive, .alive]), probe: nil).status == .ok)
        let degraded = ClusterHealth.judge(cluster([.alive, .dead, .alive]), probe: nil)
        #expect(degraded.status == .degraded)
        #expect(degraded.alive == 2)
        #expect(degraded.total == 3)
        #expect(degraded.epoch == 4)
        #expect(ClusterHealth.judge(cluster([.alive, .dead, .suspect]), probe: nil).status == .unavailable)
        #expect(ClusterHealth.judge(cluster([.alive]), probe: nil).status == .ok)
        // Two of six dead: some range of three has lost both.
        #expect(
            ClusterHealth.judge(cluster([.alive, .dead, .dead, .alive, .alive, .alive]), probe: nil).status
                == .unavailable)
    }

    @Test func whatCannotBeReadIsUnavailableWhateverTheMembershipSays() {
        let whole = cluster([.alive, .alive, .alive])
        let noQuorum = ClusterHealth.judge(whole, probe: .noQuorum("x"))
        #expect(noQuorum.status == .unavailable)
        #expect(noQuorum.isReachable)
        let unreachable = ClusterHealth.judge(whole, probe: .unreachable("x"))
        #expect(unreachable.status == .unavailable)
        #expect(!unreachable.isReachable)
        #expect(!ClusterHealth.judge(nil, probe: nil).isReachable)
    }
}

struct PrometheusTests {
    @Test func writesSamples() {
        let metrics = GatewayMetrics()
        #expect(metrics.begin(most: 1))
        #expect(!metrics.begin(most: 1))
        metrics.end(.init(method: "GET", path: "/kv/{key...}", status: 200), ms: 3)
        metrics.count(.signIns, by: 2)
        let text = GatewayExposition.text(
            metrics: metrics, streams: [], client: [.init(name: "a.b", value: 5)],
            nodes: [("n\"1", NodeStatistics(items: [.init(name: "keys", value: 7)])), ("n2", nil)])
        for line in [
            "stormo_gateway_request_duration_ms_bucket{method=\"GET\",path=\"/kv/{key...}\",status=\"200\",le=\"2.5\"} 0",
            "stormo_gateway_request_duration_ms_bucket{method=\"GET\",path=\"/kv/{key...}\",status=\"200\",le=\"5.0\"} 1",
            "stormo_gateway_request_duration_ms_bucket{method=\"GET\",path=\"/kv/{key...}\",status=\"200\",le=\"+Inf\"} 1",
            "stormo_gateway_sign_ins_total 2", "stormo_gateway_requests_in_flight 0", "stormo_client_a_b 5",
            "stormo_node_keys{node=\"n\\\"1\"} 7", "stormo_node_up{node=\"n2\"} 0",
        ] { #expect(text.contains(line + "\n"), "\(line)") }
    }
}
