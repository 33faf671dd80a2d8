import Wire

/// All figures of a gateway, its client and the nodes, as Prometheus reads them.
enum GatewayExposition {
    /// The text of `/metrics`. A node that did not answer has `stormo_node_up` 0 and nothing else.
    static func text(
        metrics: GatewayMetrics, streams: [StreamFeed], client: [NodeStatistics.Item],
        nodes: [(name: String, figures: NodeStatistics?)]
    ) -> String {
        var out = PrometheusText()
        let snapshot = metrics.snapshot
        requests(snapshot.requests, &out)
        out.begin("stormo_gateway_requests_in_flight", "gauge", "Requests being answered.")
        out.sample("stormo_gateway_requests_in_flight", [], snapshot.inFlight)
        out.begin("stormo_gateway_stream_clients", "gauge", "Open event streams.")
        for stream in streams {
            out.sample("stormo_gateway_stream_clients", [("stream", stream.name)], stream.clientCount)
        }
        for (counter, value) in snapshot.counters {
            let name = "stormo_gateway_\(counter.rawValue)"
            out.begin(name, "counter", "See the counter of this name.")
            out.sample(name, [], value)
        }
        for item in client {
            let name = "stormo_client_\(PrometheusText.name(item.name))"
            out.begin(name, "untyped", "A figure of the gateway's client of the cluster.")
            out.sample(name, [], item.value)
        }
        nodeFigures(nodes, &out)
        return out.text
    }

    private static func requests(
        _ requests: [(GatewayMetrics.Series, GatewayMetrics.Requests)], _ out: inout PrometheusText
    ) {
        let name = "stormo_gateway_request_duration_ms"
        out.begin(name, "histogram", "Time to the head of the answer, in milliseconds.")
        for (series, figures) in requests {
            let labels = [("method", series.method), ("path", series.path), ("status", String(series.status))]
            var sum: UInt64 = 0
            for (index, count) in figures.buckets.enumerated() {
                sum += count
                let bound =
                    index < GatewayMetrics.bucketBoundsMs.count ? "\(GatewayMetrics.bucketBoundsMs[index])" : "+Inf"
                out.sample("\(name)_bucket", labels + [("le", bound)], sum)
            }
            out.sample("\(name)_sum", labels, figures.sumMs)
            out.sample("\(name)_count", labels, figures.count)
        }
    }

    private static func nodeFigures(_ nodes: [(name: String, figures: NodeStatistics?)], _ out: inout PrometheusText) {
        out.begin("stormo_node_up", "gauge", "Whether the node told its figures.")
        for node in nodes { out.sample("stormo_node_up", [("node", node.name)], node.figures == nil ? 0 : 1) }
        // A metric's samples must stand together, and nodes of several versions may tell different ones.
        var names: [String] = []
        var samples: [String: [(node: String, value: UInt64)]] = [:]
        for node in nodes {
            for item in node.figures?.items ?? [] {
                let name = "stormo_node_\(PrometheusText.name(item.name))"
                if samples[name] == nil { names.append(name) }
                samples[name, default: []].append((node.name, item.value))
            }
        }
        for name in names {
            out.begin(name, "untyped", "A figure of a node.")
            for sample in samples[name] ?? [] { out.sample(name, [("node", sample.node)], sample.value) }
        }
    }
}
