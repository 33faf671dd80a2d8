import Logging
import Wire
import WireTransport

/// Looks at the registers of consumer groups, and changes them from outside: what members do themselves is
/// `PartitionLease`.
struct GroupDirectory: Sendable {
    let client: StormoClient

    /// A register that was found.
    private struct Found: Sendable {
        var key: Key
        var version: Ballot
        var group: String
        var partition: PartitionID
        var register: GroupRegister
    }

    // MARK: Looking

    /// See `StormoClient.groups`.
    func groups() async throws(ClientError) -> [GroupSummary] {
        // Registers first: a topic that is made in between has none of them.
        let registers = try await registers(ofGroup: nil)
        let lives = Set(try await client.topics().map(\.id))
        let nowMs = client.router.nowMs
        let byGroup = Dictionary(grouping: registers.filter { lives.contains($0.partition.topic) }, by: \.group)
        return byGroup.map { name, registers in
            GroupSummary(
                name: name, topics: Set(registers.map(\.register.topic)).sorted(),
                members: Set(registers.filter { $0.register.isHeld(atMs: nowMs) }.map(\.register.owner)).sorted())
        }.sorted { $0.name < $1.name }
    }

    /// See `StormoClient.group`.
    func group(_ name: String) async throws(ClientError) -> GroupState? {
        try Self.check(name)
        let registers = try await registers(ofGroup: name)
        guard !registers.isEmpty else { return nil }
        let byPartition = Dictionary(registers.map { ($0.partition, $0.register) }) { first, _ in first }
        let lives = Set(registers.map(\.partition.topic))
        let topics = try await client.topics().filter { lives.contains($0.id) }
        guard !topics.isEmpty else { return nil }
        let places = topics.flatMap { topic in
            topic.partitions.indices.map { (topic, PartitionID(topic: topic.id, index: UInt32($0))) }
        }
        var partitions: [GroupPartition] = []
        for start in stride(from: 0, to: places.count, by: ClientLimits.lagQuestionsMax) {
            let part = places[start..<min(start + ClientLimits.lagQuestionsMax, places.count)]
            partitions += await withTaskGroup(of: (Int, GroupPartition).self) { group in
                for (index, (topic, id)) in part.enumerated() {
                    let register = byPartition[id]
                    group.addTask { (index, await state(of: id, topic.name, register)) }
                }
                var states: [(Int, GroupPartition)] = []
                for await state in group { states.append(state) }
                return states.sorted { $0.0 < $1.0 }.map(\.1)
            }
        }
        var living: [String] = []
        for topic in topics { living += try await GroupMembers.living(in: name, of: topic.id, client) }
        return GroupState(name: name, partitions: partitions, living: living)
    }

    private func state(of id: PartitionID, _ topic: String, _ register: GroupRegister?) async -> GroupPartition {
        let found: OffsetAnswer?
        do throws(ClientError) {
            found = try await client.router.find(
                topic, partition: id.index, register?.offset.map { .offset($0) } ?? .latest, life: id.topic)
        } catch { found = nil }
        let nowMs = client.router.nowMs
        var lag: GroupPartition.Lag?
        if let found, let committed = register?.offset {
            // What retention has taken is not waited for any more.
            let next = max(committed, found.firstOffset)
            let records = found.highWatermark - min(next, found.highWatermark)
            lag = .init(records: records, ms: records > 0 ? nowMs - min(nowMs, found.appendedMs) : 0)
        }
        let isHeld = register?.isHeld(atMs: nowMs) ?? false
        return GroupPartition(
            topic: topic, partition: id.index,
            holder: isHeld ? register.map { .init(member: $0.owner, leaseEndMs: $0.leaseEndMs) } : nil,
            token: register?.token ?? 0, committed: register?.offset, end: found?.highWatermark, lag: lag)
    }

    /// The registers of a group, or of all groups. Passes over those that cannot be read: they are of another version.
    private func registers(ofGroup name: String?) async throws(ClientError) -> [Found] {
        let prefix = GroupRegister.keyPrefix.description + (name.map { "\($0)/" } ?? "")
        var found: [Found] = []
        for item in try await client.scanAll(prefix: prefix, max: ClientLimits.groupRegistersMax) {
            guard let place = GroupRegister.parse(item.key), name == nil || place.group == name,
                let value = VersionedValue(item.cell), let register = try? GroupRegister(value.value)
            else { continue }
            found.append(
                Found(
                    key: item.key, version: value.version, group: place.group, partition: place.partition,
                    register: register))
        }
        return found
    }

    // MARK: Changing

    /// See `StormoClient.seek`.
    func seek(
        _ name: String, _ topic: String, partition: UInt32?, to place: OffsetQuery
    ) async throws(ClientError) -> [RecordPosition] {
        try Self.check(name)
        guard let info = try await client.topic(topic) else {
            throw .refused(.unknownTopic, "topic '\(topic)' does not exist")
        }
        if let partition, partition >= UInt32(info.partitions.count) {
            throw .refused(
                .partitionOutOfRange,
                "topic '\(topic)' has \(info.partitions.count) partitions, not partition \(partition)")
        }
        var positions: [RecordPosition] = []
        for index in partition.map({ [$0] }) ?? Array(0..<UInt32(info.partitions.count)) {
            let found = try await client.router.find(topic, partition: index, place, life: info.id)
            positions.append(RecordPosition(partition: index, offset: found.offset))
        }
        // All places are known before the first is set.
        for position in positions {
            try await set(name, topic, PartitionID(topic: info.id, index: position.partition), position.offset)
        }
        return positions
    }

    /// Sets a group's position under a new token and takes the partition from its holder.
    private func set(
        _ name: String, _ topic: String, _ partition: PartitionID, _ offset: Offset
    ) async throws(ClientError) {
        let key = GroupRegister.key(group: name, partition: partition)
        /// What was written without an answer.
        var doubted: (register: GroupRegister, error: ClientError)?
        for _ in 0..<ClientLimits.seekAttemptsMax {
            let found = try await client.get(key)
            let former = found.flatMap { try? GroupRegister($0.value) }
            if let doubted {
                if former == doubted.register { return }
                // Somebody has taken the partition since: perhaps from the place that was set, perhaps from another.
                if former?.token ?? 0 > doubted.register.token { throw doubted.error }
            }
            let register = GroupRegister(
                owner: "", token: (former?.token ?? 0) + 1, leaseEndMs: 0, offset: offset, topic: topic)
            let condition: Condition = found.map { .version($0.version) } ?? .absent
            do throws(ClientError) {
                if try await client.compareAndSet(key, register.encoded, if: condition).applied { return }
            } catch {
                guard error.isOutcomeUnknown else { throw error }
                doubted = (register, error)
            }
        }
        if let doubted { throw doubted.error }
        throw contended("the position of group '\(name)' in partition \(partition.index)")
    }

    /// See `StormoClient.deleteGroup`.
    func delete(_ name: String, isForced: Bool) async throws(ClientError) -> GroupDeletion {
        try Self.check(name)
        var deleted: Set<Key> = []
        for _ in 0..<ClientLimits.seekAttemptsMax {
            let registers = try await registers(ofGroup: name)
            guard !registers.isEmpty else { return .deleted(partitions: deleted.count) }
            let nowMs = client.router.nowMs
            let members = Set(registers.filter { $0.register.isHeld(atMs: nowMs) }.map(\.register.owner))
            guard isForced || members.isEmpty else { return .inUse(members: members.sorted()) }
            for found in registers {
                let answer = try await client.delete(found.key, if: isForced ? .none : .version(found.version))
                if answer.applied { deleted.insert(found.key) }
            }
            // Forced, a member that is left may begin anew at once: that is a group of its own.
            if isForced || deleted.count == registers.count { return .deleted(partitions: deleted.count) }
        }
        throw contended("the positions of group '\(name)'")
    }

    private func contended(_ what: String) -> ClientError {
        client.router.engine.counters.overloaded.count()
        return .overloaded("others keep changing \(what)")
    }

    /// Deletes the registers of former lives of a topic. Nobody waits for it: what is left is not shown, and goes when the
    /// topic is deleted again.
    func forgetFormerLives(of topic: String) async {
        do throws(ClientError) {
            let registers = try await registers(ofGroup: nil).filter { $0.register.topic == topic }
            guard !registers.isEmpty else { return }
            let present = try await client.router.topicDirectory.askedNow(topic)?.id
            for found in registers where found.partition.topic != present { try await client.delete(found.key) }
        } catch {
            client.router.engine.logger.info("positions of groups in the deleted topic '\(topic)' are left: \(error)")
        }
    }

    private static func check(_ name: String) throws(ClientError) {
        guard (1...WireLimits.nameBytesMax).contains(name.utf8.count) else {
            throw .refused(
                .invalid, "a group has a name of 1 to \(WireLimits.nameBytesMax) bytes, found \(name.utf8.count)")
        }
    }
}
