import Wire

/// What a node copies from other replicas, and where it stands.
struct Copying {
    /// Stretches that this node has to copy, in order.
    var segments: [Ring.Segment] = []
    /// Stretches of which it may still have cells of a former time, to be cleared before anything else.
    var toClear: [TokenRange] = []
    /// Where clearing goes on in the first of these.
    var clearedTo: Key?
    /// The epoch that all of it belongs to.
    var epoch = Epoch.none
    /// How many stretches are done.
    var done = 0
    /// When this run of the node began, and how many were done then: what is left is estimated from it.
    var began: (atMs: UInt64, done: Int) = (0, 0)
    /// The last key of the page before, in the stretch under way.
    var after: Key?
    /// Numbers the pages, so that a late answer finds nothing.
    var page: UInt64 = 0
    /// Whether a page is being waited for.
    var isAsking = false
    /// Keys of the page whose copies differ and that are being settled, with the highest promise that was copied.
    var unsettled: [Key: Ballot] = [:]
    /// Whether a page could not be had from a quorum, so that the next time every replica is asked.
    var mustAskAll = false
    /// Whether one of them could not be settled, so that the page has to be asked for again.
    var hasFailed = false
    /// What the page ends with.
    var pageEnd: (last: Key?, hasMore: Bool) = (nil, false)
    /// When the next page may be asked for.
    var nextMs: UInt64 = 0
    /// Everything copied is durable with this entry.
    var lastChange = JournalSequence.start

    /// How long copying the rest takes if it goes on as it did, in milliseconds; 0 when nothing is known yet.
    func leftMs(nowMs: UInt64) -> UInt64 {
        let copied = done - began.done
        guard copied > 0, done < segments.count else { return 0 }
        return (nowMs - min(began.atMs, nowMs)) * UInt64(segments.count - done) / UInt64(copied)
    }

    /// Whether the node has copied all that a joint epoch gives it, durably.
    func holdsAll(_ epoch: Epoch, durable: JournalSequence) -> Bool {
        self.epoch == epoch && done == segments.count && !segments.isEmpty && lastChange <= durable
    }
}

/// What a node copies for.
enum CopyPurpose {
    /// To own what a change of the ring gives it.
    case ringChange
    /// To know again what it has lost.
    case amnesia
}

/// How far the copying of a joint epoch was when the node stopped; kept so that a restart neither clears what it has voted
/// on nor copies everything anew.
struct CopyingFact {
    var epoch: Epoch
    var hasCleared: Bool
    var done: UInt32

    init(epoch: Epoch, hasCleared: Bool, done: Int) {
        self.epoch = epoch
        self.hasCleared = hasCleared
        self.done = UInt32(done)
    }

    init?(_ bytes: [UInt8]) {
        let fact: CopyingFact? = bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            guard let epoch: UInt32 = try? reader.integer("epoch"), let cleared = try? reader.bool("cleared"),
                let done: UInt32 = try? reader.integer("done")
            else { return nil }
            return CopyingFact(epoch: Epoch(epoch), hasCleared: cleared, done: Int(done))
        }
        guard let fact else { return nil }
        self = fact
    }

    var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 16)
        writer.integer(epoch.rawValue)
        writer.bool(hasCleared)
        writer.integer(done)
        return writer.bytes
    }
}

/// The new owner's side of a joint epoch: it clears what it has of a former time, then copies what a majority of the old
/// replicas that know the joint epoch have accepted and promised.
extension Node {
    /// A ring has come in force: what of it has to be copied or cleared here.
    mutating func beginCopying() {
        guard let ring else { return }
        changing = RingChanging()
        var fresh = Copying()
        fresh.epoch = ring.epoch
        fresh.page = copying.page + 1
        let segments = ring.segments
        let fact = store.fact(.copying).flatMap { CopyingFact($0) }
        if let next = ring.next {
            for segment in segments {
                for node in segment.next ?? [] where segment.mustCopy(node, ring.layout, next) {
                    changing.copiers.insert(node)
                }
            }
            fresh.segments = segments.filter { $0.mustCopy(identity.id, ring.layout, next) }
            let resumed = fact.flatMap { $0.epoch == ring.epoch ? $0 : nil }
            fresh.done = min(Int(resumed?.done ?? 0), fresh.segments.count)
            fresh.began = (time.monotonicMs, fresh.done)
            if resumed?.hasCleared != true {
                fresh.toClear = fresh.segments.filter { !$0.replicas.contains(identity.id) }.map(\.range)
            }
        } else {
            // What other nodes own now.
            fresh.toClear = segments.filter { !$0.replicas.contains(identity.id) }.map(\.range)
        }
        copying = fresh
        muted = ring.next == nil ? [] : fresh.toClear
        // Most have nothing to clear: they are ready at once.
        clear()
        recall()
    }

    mutating func tickCopying() {
        clear()
        guard hasRecalled, ring?.next != nil, copying.toClear.isEmpty, copying.done < copying.segments.count,
            !copying.isAsking,
            copying.unsettled.isEmpty, time.monotonicMs >= copying.nextMs, store.readOnlyReason == nil,
            store.backlogBytes < limits.backlogBytesMax / 2
        else { return }
        askForPage(.ringChange)
    }

    /// Drops registers that belong to others, or are of a former time, a few at a time.
    private mutating func clear() {
        guard !copying.toClear.isEmpty else { return }
        var left = ring?.next == nil ? limits.clearKeysPerTick : limits.clearFirstKeysPerTick
        do throws(StoreError) {
            while let range = copying.toClear.first, left > 0 {
                let page = try store.registers(
                    in: range, after: copying.clearedTo, limit: min(left, WireLimits.scanItemsMax),
                    bytesMax: WireLimits.scanBytesMax)
                for item in page.items {
                    let sequence = store.apply(.forget(item.key))
                    gate.wrote(item.key, sequence)
                    copying.lastChange = sequence
                }
                counters.keysCleared += UInt64(page.items.count)
                left -= page.items.count + 1
                copying.clearedTo = page.hasMore ? page.items.last?.key : nil
                if !page.hasMore { copying.toClear.removeFirst() }
            }
        } catch {
            counters.storeErrors += 1
            // What is damaged need not be read to be dropped.
            if case .corrupt(_, let key?) = error { return gate.wrote(key, store.apply(.forget(key))) }
            return note(.error, "\(identity.name) cannot clear what belongs to others: \(error)")
        }
        guard copying.toClear.isEmpty else { return }
        muted = []
        if !copying.segments.isEmpty { keepCopyingFact() }
    }

    private mutating func keepCopyingFact() {
        let fact = CopyingFact(epoch: copying.epoch, hasCleared: true, done: copying.done)
        copying.lastChange = store.apply(.fact(.copying, fact.encoded))
    }

    // MARK: Pages

    mutating func askForPage(_ purpose: CopyPurpose) {
        guard let ring, self[purpose].done < self[purpose].segments.count else { return }
        let segment = self[purpose].segments[self[purpose].done]
        self[purpose].page += 1
        self[purpose].isAsking = true
        self[purpose].hasFailed = false
        let request = RangeRequest(range: segment.range, after: self[purpose].after, limit: limits.copyPageKeys)
        let quorum = Mutation.copyFromOneReplica.isOn ? 1 : ring.quorum
        start(
            .gather(
                .rangeRequest(request),
                ReplicaSet(askedForPage(purpose, of: segment.replicas, quorum: quorum), quorum: quorum)),
            key: RingRegister.key(ring.epoch), for: .copyPage(purpose, self[purpose].page))
    }

    /// Whom a page is asked of: as many living replicas as are needed, others each time, since a page costs each of them
    /// hundreds of reads; all when that did not do.
    private func askedForPage(_ purpose: CopyPurpose, of replicas: [NodeID], quorum: Int) -> [NodeID] {
        guard !self[purpose].mustAskAll, !replicas.isEmpty else { return replicas }
        let first = Int(self[purpose].page % UInt64(replicas.count))
        let living = (replicas[first...] + replicas[..<first]).filter { node in
            node == identity.id || members.contains { $0.identity.id == node && $0.state == .alive }
        }
        return living.count < quorum ? replicas : Array(living.prefix(quorum))
    }

    /// Pages of a majority of those who are asked are here, or cannot be had.
    mutating func copyPageGathered(_ purpose: CopyPurpose, _ page: UInt64, _ result: OperationResult) {
        guard page == self[purpose].page, self[purpose].isAsking else { return }
        self[purpose].isAsking = false
        guard case .gathered(let answers) = result else {
            self[purpose].mustAskAll = true
            self[purpose].nextMs = time.monotonicMs + limits.ringStepPauseMs
            return
        }
        self[purpose].mustAskAll = false
        let pages = answers.compactMap { answer in
            if case .rangePage(let page)? = answer { page } else { nil }
        }
        let range = self[purpose].segments[self[purpose].done].range
        let merged = RangeMerge(pages, range: range)
        self[purpose].pageEnd = (merged.last, merged.hasMore)
        var bytes = 0
        for (key, states) in merged.states {
            let promised = states.map(\.promised).max() ?? .zero
            let accepted = states.map { $0.accepted?.ballot ?? .zero }
            if accepted.allSatisfy({ $0 == accepted.first }) {
                bytes += key.bytes.count + 64 + (states.first?.accepted?.cell.contentBytes ?? 0)
                keepCopy(purpose, key, RegisterState(promised: promised, accepted: states.first?.accepted))
            } else if Mutation.copyWithoutPromises.isOn {
                let newest = states.compactMap(\.accepted).max { $0.ballot < $1.ballot }
                keepCopy(purpose, key, RegisterState(promised: .zero, accepted: newest))
            } else {
                self[purpose].unsettled[key] = promised
            }
        }
        // Live traffic keeps its share of the disk and the wires.
        counters.bytesCopied += UInt64(bytes)
        let bytesMs = bytes * 1_000 / max(limits.copyBytesPerSecond, 1)
        let keysMs = merged.states.count * 1_000 / max(limits.copyKeysPerSecond, 1)
        self[purpose].nextMs = time.monotonicMs + UInt64(max(bytesMs, keysMs))
        for key in self[purpose].unsettled.keys.sorted() {
            start(.read(.quorum), key: key, for: .copyKey(purpose, page, key))
        }
        endPageIfSettled(purpose)
    }

    /// A key whose copies differed has been read.
    mutating func copyKeySettled(_ purpose: CopyPurpose, _ page: UInt64, _ key: Key, _ result: OperationResult) {
        guard page == self[purpose].page, let promised = self[purpose].unsettled.removeValue(forKey: key) else {
            return
        }
        if case .read(let accepted) = result {
            keepCopy(purpose, key, RegisterState(promised: promised, accepted: accepted))
        } else {
            self[purpose].hasFailed = true
        }
        endPageIfSettled(purpose)
    }

    private mutating func endPageIfSettled(_ purpose: CopyPurpose) {
        guard self[purpose].unsettled.isEmpty else { return }
        guard !self[purpose].hasFailed else {
            self[purpose].nextMs = time.monotonicMs + limits.ringStepPauseMs
            return
        }
        if self[purpose].pageEnd.hasMore {
            self[purpose].after = self[purpose].pageEnd.last
        } else {
            self[purpose].after = nil
            self[purpose].done += 1
            counters.rangesCopied += 1
            switch purpose {
            case .ringChange:
                keepCopyingFact()
                if copying.done == copying.segments.count {
                    note(.info, "\(identity.name) has copied all that ring epoch \(copying.epoch) gives it")
                }
            case .amnesia: noteAmnesiaProgress()
            }
        }
    }

    /// Takes a copy in. It stands below promises of its own too: those were given while the old majority was asked as
    /// well, and it had this.
    private mutating func keepCopy(_ purpose: CopyPurpose, _ key: Key, _ copy: RegisterState) {
        do throws(StoreError) {
            let own = try store.register(key)
            var state = own
            if !Mutation.copyWithoutPromises.isOn { state.promised = max(own.promised, copy.promised) }
            if let accepted = copy.accepted, accepted.ballot > own.accepted?.ballot ?? .zero {
                state.accepted = accepted
                state.promised = max(state.promised, accepted.ballot)
            }
            counters.keysCopied += 1
            guard state != own else { return }
            raiseCeiling(for: state.promised.time)
            let sequence = store.apply(.register(key, state))
            gate.wrote(key, sequence)
            self[purpose].lastChange = sequence
        } catch {
            self[purpose].hasFailed = true
            counters.storeErrors += 1
            guard !noticeDamage(key, error) else { return }
            note(.error, "\(identity.name) cannot copy a key: \(error)")
        }
    }
}

extension Cell {
    /// Bytes of the value.
    var contentBytes: Int { if case .value(let bytes) = content { bytes.count } else { 0 } }
}

/// Pages of several replicas over the same stretch, put together key by key.
struct RangeMerge {
    /// Each key with the state that each replica has, `.empty` where it has none.
    private(set) var states: [(key: Key, states: [RegisterState])] = []
    /// The last key that all pages have told about; nil when there was none.
    private(set) var last: Key?
    /// Whether there is more behind it.
    private(set) var hasMore = false

    init(_ pages: [RangePage], range: TokenRange) {
        func precedes(_ a: Key, _ b: Key) -> Bool {
            a.token == b.token ? a < b : range.distance(to: a.token) < range.distance(to: b.token)
        }
        // A page with more behind it says nothing about keys behind its last one.
        for page in pages where page.hasMore {
            hasMore = true
            if let end = page.items.last?.key, last.map({ precedes(end, $0) }) ?? true { last = end }
        }
        let horizon = last
        var cursors = Array(repeating: 0, count: pages.count)
        while true {
            var next: Key?
            for (index, page) in pages.enumerated() where cursors[index] < page.items.count {
                let key = page.items[cursors[index]].key
                if next.map({ precedes(key, $0) }) ?? true { next = key }
            }
            guard let key = next, horizon.map({ !precedes($0, key) }) ?? true else { break }
            var found: [RegisterState] = []
            for (index, page) in pages.enumerated() {
                if cursors[index] < page.items.count, page.items[cursors[index]].key == key {
                    found.append(page.items[cursors[index]].state)
                    cursors[index] += 1
                } else {
                    found.append(.empty)
                }
            }
            states.append((key, found))
            if horizon == nil { last = key }
        }
    }
}
