import NodeCore
import Wire

/// Every register of a group's partition is made from the one before: under the same token its holder goes forward, and whoever
/// takes the partition, or sets its position, raises the token by one; who takes it goes on where it is.
struct GroupRegistersFollow: Invariant {
    let name = "group registers"

    private struct CellName: Hashable {
        let key: Key
        let version: Ballot
    }

    private var known: [CellName: GroupRegister] = [:]

    mutating func check(_ event: ClusterEvent, in cluster: VirtualCluster) -> String? {
        guard case .applied(_, .register(let key, let state)) = event,
            key.bytes.starts(with: GroupRegister.keyPrefix.bytes),
            let cell = state.accepted?.cell, case .value(let bytes) = cell.content,
            known[CellName(key: key, version: cell.version)] == nil
        else { return nil }
        guard let register = try? GroupRegister(bytes) else { return "\(key) holds what nobody wrote" }
        known[CellName(key: key, version: cell.version)] = register
        guard let base = cell.base, let before = known[CellName(key: key, version: base)] else { return nil }
        let isSame = register.token == before.token && (register.owner == before.owner || register.owner.isEmpty)
        let isNext = register.token == before.token + 1
        guard isSame || isNext else {
            return
                "\(key) goes from token \(before.token) of '\(before.owner)' to \(register.token) of '\(register.owner)'"
        }
        // Only an operator goes back, and he holds nothing.
        let mayGoBack = isNext && register.owner.isEmpty
        guard register.offset ?? 0 >= before.offset ?? 0 || mayGoBack else {
            return
                "\(key) goes back from \(before.offset ?? 0) to \(register.offset ?? 0) under token \(register.token)"
        }
        return nil
    }
}
