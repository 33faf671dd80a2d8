import DequeModule
import Wire

/// A coordinator's side of watches. Members tell which keys have changed; each such key is read at a quorum, so what is
/// told is what a majority holds, and a key never goes back: the versions of values that were chosen only grow.
///
/// A position is a moment of this node. Coming from another node, from before a restart, or from longer ago than what is
/// kept, it begins with a listing of everything, deletions included; when even these may be gone, with a reset.
extension Node {
    /// A client asks what has changed.
    mutating func watch(_ request: WatchRequest, for channel: ChannelID, _ id: RequestID) {
        guard let ring, !ring.members.isEmpty else {
            return refuse(channel, id, .noRing, "\(identity.name) has no ring yet")
        }
        guard let watch = watch(of: request.prefix) else {
            counters.overloaded += 1
            return refuse(
                channel, id, .overloaded, "\(limits.watchesMax) prefixes are watched already: try again after a pause")
        }
        watch.usedMs = time.monotonicMs
        guard watch.waiters.count + watch.starters.count < limits.watchWaitersMax else {
            counters.overloaded += 1
            return refuse(
                channel, id, .overloaded,
                "\(limits.watchWaitersMax) requests wait for this prefix already: try again after a pause")
        }
        guard watch.since != nil else {
            watch.starters.append((channel, id, request))
            return
        }
        begin(watch, request, channel, id)
    }

    private mutating func watch(of prefix: [UInt8]) -> Watch? {
        if let watch = watches[prefix] { return watch }
        guard watches.count < limits.watchesMax else { return nil }
        let watch = Watch(prefix: prefix, nowMs: time.monotonicMs)
        watches[prefix] = watch
        keepSubscribed(watch)
        return watch
    }

    private mutating func begin(_ watch: Watch, _ request: WatchRequest, _ channel: ChannelID, _ id: RequestID) {
        guard let since = watch.since else { return }
        let position = request.position
        if let position, position.node == identity.id, position.after == nil, position.time >= since {
            return answer(
                watch,
                Watch.Waiter(
                    channel: channel, request: id, time: position.time,
                    untilMs: time.monotonicMs + UInt64(request.waitMs)))
        }
        // A listing begins, or goes on.
        var isReset = false
        var from = WatchPosition(time: clock.now(physicalMs: time.wallMs), after: [], node: identity.id)
        if let position, position.after != nil {
            from = position
        } else if let position, position.time.milliseconds + limits.graceMs / 2 < time.wallMs {
            isReset = true
        }
        let scan = ScanRequest(
            prefix: request.prefix, after: from.after ?? [], limit: UInt32(WireLimits.scanItemsMax), keysOnly: false)
        start(
            .scan(scan), key: Key(request.prefix),
            for: .watchPage(WatchPage(channel: channel, request: id, from: from, isReset: isReset)))
    }

    /// A page of a listing is here.
    mutating func watchPageListed(_ page: WatchPage, _ result: OperationResult, prefix: [UInt8]) {
        switch result {
        case .scanned(let answer):
            if let watch = watches[prefix] {
                for item in answer.items {
                    noteExpiry(watch, item.key, item.cell)
                    // What was found since the listing began must not be told behind it when it is older.
                    if watch.holds(item.key), watch.since != nil {
                        let now = clock.now(physicalMs: time.wallMs)
                        _ = watch.found(item.key, item.cell, at: now, statesMax: limits.watchStatesMax)
                    }
                }
            }
            var position = page.from
            position.after = answer.resumeAfter
            reply(
                page.channel, page.request,
                .watchAnswer(WatchAnswer(isReset: page.isReset, items: answer.items, position: position)))
        case .failed(let code, let detail): refuse(page.channel, page.request, code, detail)
        default: refuse(page.channel, page.request, .internalError, "a listing was answered out of turn")
        }
    }

    /// Answers a waiter, or lets it wait.
    private mutating func answer(_ watch: Watch, _ waiter: Watch.Waiter) {
        let (items, upTo) = watch.states(
            after: waiter.time, now: clock.now(physicalMs: time.wallMs), itemsMax: WireLimits.scanItemsMax,
            bytesMax: WireLimits.scanBytesMax)
        guard !items.isEmpty || time.monotonicMs >= waiter.untilMs else {
            watch.waiters.append(waiter)
            return
        }
        counters.watchEvents += UInt64(items.count)
        reply(
            waiter.channel, waiter.request,
            .watchAnswer(
                WatchAnswer(
                    isReset: false, items: items,
                    position: WatchPosition(time: upTo, after: nil, node: identity.id))))
    }

    // MARK: Changes

    /// A replica tells of changed keys.
    mutating func receive(_ changed: ChangedKeys) {
        for watch in watches.values where watch.since != nil {
            for key in changed.keys
            where key.bytes.starts(with: watch.prefix) && (watch.prefix.first == 0 || !key.isSystem) {
                watch.touch(key)
            }
            if watch.dirty.count > limits.watchStatesMax {
                // More than can be told one by one: a listing is cheaper.
                restart(watch)
            }
            readDirty(watch)
        }
    }

    private mutating func readDirty(_ watch: Watch) {
        while watch.reading.count < limits.watchReadsMax, let key = watch.dirty.popFirst() {
            guard watch.reading[key] == nil else { continue }
            watch.reading[key] = false
            start(.read(.quorum), key: key, for: .watchKey(watch.prefix, key))
        }
    }

    /// A changed key has been read.
    mutating func watchKeyRead(_ prefix: [UInt8], _ key: Key, _ result: OperationResult) {
        guard let watch = watches[prefix], let again = watch.reading.removeValue(forKey: key) else { return }
        switch result {
        case .read(let accepted):
            if let cell = accepted?.cell, watch.since != nil {
                let now = clock.now(physicalMs: time.wallMs)
                let judged = cell.judged(atMs: now.milliseconds)
                noteExpiry(watch, key, judged)
                if watch.found(key, judged, at: now, statesMax: limits.watchStatesMax) { tell(watch) }
            }
            if again {
                watch.touch(key)
            } else if !watch.isWhole {
                watch.recheck.append((time.monotonicMs + limits.watchRecheckMs, key))
            }
        default:
            // No quorum at the moment.
            watch.recheck.append((time.monotonicMs + limits.watchRecheckMs, key))
        }
        readDirty(watch)
    }

    private func noteExpiry(_ watch: Watch, _ key: Key, _ cell: Cell) {
        if let expiry = cell.expiryMs, case .value = cell.content {
            if watch.expiring.count < limits.watchStatesMax || watch.expiring[key] != nil {
                watch.expiring[key] = expiry
            }
        } else {
            watch.expiring[key] = nil
        }
    }

    private mutating func tell(_ watch: Watch) {
        let waiting = watch.waiters
        watch.waiters = []
        for waiter in waiting { answer(watch, waiter) }
    }

    // MARK: Time, members and channels

    mutating func tickWatches() {
        guard !watches.isEmpty, time.monotonicMs >= nextWatchTickMs else { return }
        nextWatchTickMs = time.monotonicMs + limits.watchTickMs
        for prefix in watches.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            guard let watch = watches[prefix] else { continue }
            if !watch.waiters.isEmpty || !watch.starters.isEmpty { watch.usedMs = time.monotonicMs }
            if time.monotonicMs >= watch.usedMs + limits.watchIdleMs {
                watches[prefix] = nil
                continue
            }
            keepSubscribed(watch)
            if watch.waiters.contains(where: { $0.untilMs <= time.monotonicMs }) { tell(watch) }
            while let first = watch.recheck.first, first.atMs <= time.monotonicMs {
                watch.recheck.removeFirst()
                watch.touch(first.key)
            }
            let now = clock.latest.milliseconds
            for (key, expiry) in watch.expiring where expiry <= now {
                watch.expiring[key] = nil
                watch.touch(key)
            }
            readDirty(watch)
        }
    }

    /// Asks all members to tell their changes, now and again.
    private mutating func keepSubscribed(_ watch: Watch) {
        guard let ring, !watch.isSubscribing, time.monotonicMs >= watch.nextSubscribeMs else { return }
        watch.isSubscribing = true
        watch.nextSubscribeMs = time.monotonicMs + limits.subscriptionMs / 3
        start(
            .gather(.subscribe(Subscribe(prefix: watch.prefix)), scanSet(ring)), key: Key(watch.prefix),
            for: .watchSubscribe(watch.prefix))
    }

    /// Enough members have answered, or cannot.
    mutating func watchSubscribed(_ prefix: [UInt8], _ result: OperationResult) {
        guard let watch = watches[prefix] else { return }
        watch.isSubscribing = false
        guard case .gathered(let answers) = result, let ring else {
            // Not for long: what is not told meanwhile would be missed.
            watch.nextSubscribeMs = time.monotonicMs + limits.watchRecheckMs
            return
        }
        var known: UInt64 = 0
        for (index, answer) in answers.enumerated() {
            if case .subscribed(let subscribed)? = answer, subscribed.wasKnown { known |= 1 << UInt64(index) }
        }
        watch.isWhole = known == scanSet(ring).all
        if watch.since != nil, !scanSet(ring).isQuorum(known) { restart(watch) }
        guard watch.since == nil else { return }
        watch.since = clock.now(physicalMs: time.wallMs)
        let starters = watch.starters
        watch.starters = []
        for starter in starters { begin(watch, starter.body, starter.channel, starter.request) }
    }

    /// What was kept may have holes: everybody begins with a listing.
    private mutating func restart(_ watch: Watch) {
        let waiting = watch.waiters
        watch.waiters = []
        watch.reset()
        for waiter in waiting {
            // Asked again from where they were, they find that this is too long ago.
            reply(
                waiter.channel, waiter.request,
                .watchAnswer(
                    WatchAnswer(
                        isReset: false, items: [],
                        position: WatchPosition(time: waiter.time, after: nil, node: identity.id))))
        }
    }

    /// The ring has changed: other members have to be asked.
    mutating func restartWatches() {
        for prefix in watches.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            if let watch = watches[prefix] { restart(watch) }
        }
    }

    mutating func forgetWatchers(of channel: ChannelID) {
        for watch in watches.values {
            watch.waiters.removeAll { $0.channel == channel }
            watch.starters.removeAll { $0.channel == channel }
        }
    }
}

/// A page of a listing that begins a watch.
struct WatchPage {
    let channel: ChannelID
    let request: RequestID
    /// The position that the page goes on from.
    let from: WatchPosition
    let isReset: Bool
}
