import Wire

/// A listing in the making: pages of the members, merged, and the keys that need a look of their own.
struct Listing {
    /// By place in the operation's replicas, which for a listing are all members of the ring.
    var pages: [ReplicaPage?]
    /// The merged page; without a cell for keys that are still being read, or turned out to be gone.
    var items: [(key: Key, cell: Cell?)] = []
    /// Keys whose copies differ and that are being read.
    var unsettled = 0
    /// Where the next page begins.
    var resumeAfter: [UInt8]?
    /// Whether the pages have been merged.
    var isMerged = false
}

/// Listings by prefix: every member tells its own page, and a key is listed as a quorum of its replicas has it. Keys are
/// as of some moment within the listing, each of its own; a listing is no snapshot.
extension Node {
    /// All members, of whom so many are enough that every replica set has a majority among them.
    func scanSet(_ ring: Ring) -> ReplicaSet {
        let members = ring.members.map(\.id)
        let quorum = members.count - (ring.replicas - ring.quorum)
        guard let next = ring.next else { return ReplicaSet(members, quorum: quorum) }
        return ReplicaSet(
            members, quorum: quorum, moving: next.members.map(\.id),
            quorum: next.members.count - (next.replicas - next.quorum))
    }

    mutating func scan(_ id: OperationID) {
        guard case .scan(let request) = operations[id].goal else { return }
        operations[id].listing = Listing(pages: Array(repeating: nil, count: operations[id].replicas.count))
        operations[id].phase = .scanning
        ask(id, .replicaScan(request), targets: .max)
        advanceIfSettled(id)
    }

    mutating func scanAdvanced(_ id: OperationID) {
        guard let listing = operations[id].listing, !listing.isMerged else { return }
        var answered: UInt64 = 0
        for (index, page) in listing.pages.enumerated() where page != nil { answered |= 1 << index }
        if operations[id].replicaSet.isQuorum(answered) {
            merge(id)
        } else if !operations[id].replicaSet.isQuorum(answered | operations[id].outstanding) {
            again(id, .restart)
        }
    }

    private mutating func merge(_ id: OperationID) {
        guard let ring, case .scan(let request) = operations[id].goal, var listing = operations[id].listing else {
            return
        }
        listing.isMerged = true
        // Judged by the replicas' clocks too: what one of them has passed, nobody is shown any more.
        operations[id].stampMs = max(operations[id].stampMs, operations[id].answeredMs)
        // A member with more keys behind its page says nothing about them: the merged page ends where the shortest of
        // those pages does.
        var horizon: Key?
        for case .some(let page) in listing.pages where page.hasMore {
            if let last = page.items.last?.key, last < horizon ?? last || horizon == nil { horizon = last }
        }
        var cursors = Array(repeating: 0, count: listing.pages.count)
        var toRead: [(Key, Int, Consistency)] = []
        var last: Key?
        var isCut = false
        var bytes = 0
        while true {
            var next: Key?
            for (index, page) in listing.pages.enumerated() {
                guard let page, cursors[index] < page.items.count else { continue }
                let key = page.items[cursors[index]].key
                if next == nil || key < next ?? key { next = key }
            }
            guard let key = next else { break }
            if let horizon, horizon < key { break }
            // Pages of many members together may be more than a frame takes.
            if listing.items.count >= Int(request.limit) || bytes >= WireLimits.scanBytesMax {
                isCut = true
                break
            }
            let set = ReplicaSet(ring, token: key.token)
            var newest: AcceptedCell?
            var holders: UInt64 = 0
            for (index, page) in listing.pages.enumerated() {
                guard let page else { continue }
                var copy: AcceptedCell?
                if cursors[index] < page.items.count, page.items[cursors[index]].key == key {
                    copy = page.items[cursors[index]].accepted
                    cursors[index] += 1
                }
                guard let copy, let place = set.nodes.firstIndex(of: operations[id].replicas[index]) else { continue }
                if copy.ballot > newest?.ballot ?? .zero {
                    newest = copy
                    holders = 0
                }
                if copy.ballot == newest?.ballot { holders |= 1 << place }
            }
            last = key
            guard let newest else { continue }
            bytes += key.bytes.count
            if case .value(let value) = newest.cell.content { bytes += value.count }
            if newest.isExpiryInDoubt(atMs: operations[id].stampMs) {
                toRead.append((key, listing.items.count, .serial))
                listing.items.append((key, nil))
            } else if set.isQuorum(holders) {
                if operations[id].listsTombstones {
                    listing.items.append((key, newest.cell.judged(atMs: operations[id].stampMs)))
                } else if newest.cell.value(atMs: operations[id].stampMs) != nil {
                    listing.items.append((key, newest.cell))
                }
            } else {
                toRead.append((key, listing.items.count, .quorum))
                listing.items.append((key, nil))
            }
        }
        if isCut || horizon != nil { listing.resumeAfter = (last ?? horizon)?.bytes }
        listing.unsettled = toRead.count
        operations[id].listing = listing
        let round = operations[id].round
        for (key, item, consistency) in toRead where operations.contains(id) {
            start(.read(consistency), key: key, for: .scan(id, round: round, item: item))
        }
        finishScanIfSettled(id)
    }

    /// A key of a page has been read. A listing that has begun anew meanwhile, in another epoch, has other keys there.
    mutating func scanItemSettled(
        _ id: OperationID, _ round: UInt32, _ item: Int, _ result: OperationResult, stampMs: UInt64
    ) {
        guard operations.contains(id), operations[id].round == round, var listing = operations[id].listing,
            case .scan(let request) = operations[id].goal
        else { return }
        switch result {
        case .read(let accepted):
            if let cell = accepted?.cell, operations[id].listsTombstones {
                listing.items[item].cell = cell.judged(atMs: stampMs)
            } else if var cell = accepted?.cell, cell.value(atMs: stampMs) != nil {
                if request.keysOnly { cell.content = .value([]) }
                listing.items[item].cell = cell
            }
        case .failed(let code, let detail): return finish(id, .failed(code, detail))
        default: break
        }
        listing.unsettled -= 1
        operations[id].listing = listing
        finishScanIfSettled(id)
    }

    private mutating func finishScanIfSettled(_ id: OperationID) {
        guard operations.contains(id), let listing = operations[id].listing, listing.unsettled == 0 else { return }
        let items = listing.items.compactMap { item in item.cell.map { ScanItem(key: item.key, cell: $0) } }
        finish(id, .scanned(ScanAnswer(items: items, resumeAfter: listing.resumeAfter)))
    }
}
