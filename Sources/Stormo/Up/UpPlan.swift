import WireTransport

/// What `stormo up` runs: computed from the settings and what an earlier start left.
struct UpPlan: Sendable {
    /// A child to run.
    struct Child: Sendable, Hashable {
        /// Its name: `node-1`, `gateway-1`, `dispatcher`.
        let name: String
        /// Its place in the order of things.
        let tier: ChildTier
        /// Arguments of `stormo`.
        let arguments: [String]
    }

    /// First port that is tried for a node.
    static let nodePortFirst = 7_400
    /// First port that is tried for a gateway.
    static let gatewayPortFirst = 8_080

    /// The children, first those that are started first.
    let children: [Child]
    /// Ports and cluster, without processes.
    let state: UpState

    /// Puts the children of a cluster together, each with the arguments that are its own; what all share goes through
    /// the environment.
    init(state: UpState, directory: UpDirectory, applications: Set<Application>) {
        let seeds = state.seeds.map(\.description).joined(separator: ",")
        var children: [Child] = []
        for (index, address) in state.seeds.enumerated() {
            let name = "node-\(index + 1)"
            children.append(
                Child(
                    name: name, tier: .node,
                    arguments: [
                        "node", "--name", name, "--listen", "\(address)", "--advertise", "\(address)", "--seeds", seeds,
                        "--data",
                        directory.nodePath(name), "--bootstrap-expect", "\(state.nodePorts.count)",
                    ]))
        }
        for (index, port) in state.gatewayPorts.enumerated() {
            children.append(
                Child(
                    name: "gateway-\(index + 1)", tier: .gateway,
                    arguments: [
                        "gateway", "--name", "gateway-\(index + 1)", "--seeds", seeds, "--listen", "127.0.0.1:\(port)",
                    ]))
        }
        for application in Application.allCases where applications.contains(application) {
            for agent in application.agents {
                children.append(Child(name: agent, tier: .agent, arguments: ["agent", agent, "--seeds", seeds]))
            }
        }
        self.children = children
        self.state = state
    }

    /// The ports and the cluster of this start: those of an earlier one where there was one, else free ones.
    ///
    /// - Parameter http: the port of the first gateway when somebody gave one; 0 for any free one.
    static func state(
        earlier: UpState?, cluster: String, nodes: Int?, gateways: Int, http: Int?, defaultNodes: Int,
        free: (_ count: Int, _ start: Int, _ taken: Set<Int>) -> [Int]?
    ) throws(ConfigurationError) -> UpState {
        if let earlier {
            guard nodes == nil || nodes == earlier.nodePorts.count else {
                throw .refused(
                    "this data directory holds a cluster of \(earlier.nodePorts.count) nodes: leave --nodes out, or use another --data"
                )
            }
            guard earlier.cluster == cluster else {
                throw .refused(
                    "this data directory holds the cluster \"\(earlier.cluster)\", not \"\(cluster)\": leave --cluster out, or use another --data"
                )
            }
        }
        guard let nodePorts = earlier?.nodePorts ?? free(nodes ?? defaultNodes, nodePortFirst, []) else {
            throw .refused("no free ports for the nodes from \(nodePortFirst) on")
        }
        let taken = Set(nodePorts)
        let gatewayPorts: [Int]?
        if let http, http > 0 {
            gatewayPorts = (0..<gateways).map { http + $0 }
        } else if http == nil, let kept = earlier?.gatewayPorts, kept.count == gateways {
            gatewayPorts = kept
        } else {
            gatewayPorts = free(gateways, gatewayPortFirst, taken)
        }
        guard let gatewayPorts, gatewayPorts.allSatisfy({ $0 <= 65_535 }) else {
            throw .refused("no free ports for the gateways: give --http PORT")
        }
        if let clash = gatewayPorts.first(where: { taken.contains($0) }) {
            throw .refused("port \(clash) is a node's: give another --http")
        }
        return UpState(cluster: cluster, nodePorts: nodePorts, gatewayPorts: gatewayPorts)
    }

    /// The environment of all children: that of this process, with what was given to `up` as flags, and without a
    /// secret where the file of one is named.
    static func environment(
        _ own: [String: String], flags: [String: String], definitions: [SettingDefinition], secretPath: String?
    ) -> [String: String] {
        var environment = own
        for definition in definitions where definition.section != .up && definition.channels.contains(.environment) {
            if let text = flags[definition.key] { environment[definition.variable] = text }
        }
        if let secretPath {
            environment[CommonSettings.secretFile.definition.variable] = secretPath
            environment[CommonSettings.secret.definition.variable] = nil
        }
        environment[InternalVariables.lifeline] = "stdin"
        return environment
    }
}
