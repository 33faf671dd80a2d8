import HTTPTypes
import Hummingbird
import StormoClient
import Wire

/// The table *Service* of the HTTP contract, but for signing in and the pages.
struct ServiceRoutes {
    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/health", .open, health),
            Route(.get, "/ready", .open, ready),
            Route(.get, "/metrics", .open, metrics),
            Route(.get, "/stats", .client, statistics),
            Route(.get, "/nodes/{id}/stats", .client, nodeStatistics),
        ]
    }

    private func health(_ call: Call) async -> Response {
        let health = await services.health.health()
        return Response.object(status: health.status == .unavailable ? .serviceUnavailable : .ok) {
            $0.member("status", health.status.rawValue)
            $0.name("nodes")
            $0.object {
                $0.member("alive", health.alive)
                $0.member("total", health.total)
            }
            $0.member("epoch", health.epoch)
            $0.member("version", services.configuration.version)
        }
    }

    private func ready(_ call: Call) async -> Response {
        let isReady: Bool
        let reason: String
        if services.isDraining {
            (isReady, reason) = (false, "draining")
        } else {
            isReady = await services.health.health().isReachable
            reason = isReady ? "ready" : "cluster unreachable"
        }
        return Response.object(
            status: isReady ? .ok : .serviceUnavailable, headers: isReady ? [:] : [.retryAfter: "1"]
        ) {
            $0.member("ready", isReady)
            $0.member("status", reason)
        }
    }

    // MARK: Figures

    private func statistics(_ call: Call) async throws -> Response {
        let cluster = try RingRoutes.cluster(services.client.cluster)
        let nodes = await services.client.statisticsOfNodes()
        return Response.object(capacity: 4_096) {
            $0.name("nodes")
            $0.array {
                for node in nodes {
                    $0.object {
                        $0.member("id", node.member.id.description)
                        $0.member("name", node.member.name)
                        $0.member("state", cluster.stateText(of: node.member.id))
                        switch node.figures {
                        case .success(let figures):
                            $0.name("stats")
                            $0.figures(figures.items)
                        case .failure(let error):
                            $0.name("stats")
                            $0.null()
                            $0.member("error", error.description)
                        }
                    }
                }
            }
            $0.name("gateway")
            $0.object {
                $0.member("name", services.configuration.name)
                $0.name("client")
                $0.figures(services.client.statistics)
            }
        }
    }

    private func nodeStatistics(_ call: Call) async throws -> Response {
        let member = try RingRoutes.member(call.parameter("id"), in: services.client.cluster)
        let figures = try await services.client.statistics(of: member.id)
        return Response.object(capacity: 2_048) {
            $0.member("id", member.id.description)
            $0.member("name", member.name)
            $0.name("stats")
            $0.figures(figures.items)
        }
    }

    private func metrics(_ call: Call) async -> Response {
        let text = GatewayExposition.text(
            metrics: services.metrics, streams: [services.fleetFeed, services.anomalyFeed],
            client: services.client.statistics,
            nodes: await services.client.statisticsOfNodes().map { ($0.member.name, try? $0.figures.get()) })
        return Response(
            status: .ok,
            headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8", .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

extension JSONWriter {
    /// Figures as an object of numbers by name.
    mutating func figures(_ items: [NodeStatistics.Item]) {
        object { for item in items { $0.member(item.name, item.value) } }
    }
}
