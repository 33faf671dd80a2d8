public import Wire

/// What operators ask of the cluster.
extension StormoClient {
    /// Changes the ring, or tells what that would do (`dryRun`). When it returns the change has begun: the plan's epoch
    /// is the joint one, and `cluster` shows it until the final one.
    ///
    /// Throws `refused(.ringBusy)` while another change is under way, `refused(.ringRefused)` when it cannot be done
    /// safely or makes no sense, and `outcomeUnknown` when nobody can tell whether it has begun: look at the ring.
    public func changeRing(_ change: RingChange, dryRun: Bool = false) async throws(ClientError) -> RingPlan {
        guard
            case .ringPlan(let plan) = try await router.send(
                .changeRing(ChangeRing(change: change, dryRun: dryRun)), to: .anyNode,
                safety: dryRun ? .repeatable : .once)
        else { throw Router.unexpectedAnswer }
        return plan
    }

    /// How far a node's comparison with the other replicas is; with `begin` it begins one first, unless one is under way.
    public func repair(at node: NodeID, begin: Bool) async throws(ClientError) -> RepairStatus {
        guard
            case .repairStatus(let status) = try await router.send(
                .repairRequest(RepairRequest(begin: begin)), to: .node(node), safety: .repeatable)
        else { throw Router.unexpectedAnswer }
        return status
    }

    /// Makes the cluster forget a member that is dead or has left; `node` is its name, id or address.
    public func forgetMember(_ node: String) async throws(ClientError) {
        guard
            case .done = try await router.send(
                .forgetMember(ForgetMember(node: node)), to: .anyNode, safety: .repeatable)
        else { throw Router.unexpectedAnswer }
    }

    /// Makes a node the primary of a partition: says so to that node. It takes the reign a moment later: when it is in the
    /// in-sync set, after the present primary has answered what it has taken, and not before it has reigned for a while.
    ///
    /// Throws `refused(.notInSync)` for a node that may lack what was acknowledged, unless `unclean`: what its log lacks is
    /// then lost for good.
    public func electPrimary(
        _ topic: String, partition: UInt32, node: NodeID, unclean: Bool
    ) async throws(ClientError) -> Elected {
        let request = ElectPrimary(topic: topic, partition: partition, node: node, unclean: unclean)
        guard
            case .elected(let answer) = try await router.send(
                .electPrimary(request), to: .node(node), safety: .repeatable)
        else { throw Router.unexpectedAnswer }
        return answer
    }

    /// Follows the keys that begin with `prefix` (empty: all of the user's keys). Without a `position` it begins with all
    /// that there are. States, not history: changes in quick succession may be told as one.
    public func watch(prefix: [UInt8], from position: WatchPosition? = nil) -> KeyWatch {
        KeyWatch(router: router, prefix: prefix, position: position)
    }
}
