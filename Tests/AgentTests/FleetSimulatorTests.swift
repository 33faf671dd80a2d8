import Fleet
import FleetRules
import Testing
import Wire

@Suite("Fleet: what the simulator writes")
struct FleetSimulatorTests {
    let origin = GeoPoint(latitude: 41.905, longitude: 12.470)
    let destination = GeoPoint(latitude: 41.885, longitude: 12.500)

    func version(_ number: UInt64) -> Ballot { Ballot(time: HybridTime(number), node: NodeID(1)) }

    func owning(speedFactor: Double = 1) -> SimulatorState {
        var state = SimulatorState(settings: FleetSettings(), city: .rome, speedFactor: speedFactor, slots: 4)
        for slot in 0..<4 { state.own(slot: slot) }
        return state
    }

    func idle(_ id: String, at: UInt64 = 1) -> Versioned<Drone> {
        Versioned(Drone(id: id, type: .light, status: .idle, battery: 90, position: destination), version: version(at))
    }

    func busy(_ id: String, at: UInt64 = 2) -> Versioned<Drone> {
        Versioned(
            idle(id).value.assigned(
                Mission(deliveryID: "D", origin: origin, destination: destination, weightKg: 0.5), token: nil),
            version: version(at))
    }

    @Test func dronesAtRestAreNotWritten() {
        var state = owning()
        state.see(idle("a"), nowMs: 0)
        #expect(state.moves(nowMs: 60_000).isEmpty)
        state.see(busy("b"), nowMs: 0)
        #expect(state.moves(nowMs: 60_000).map(\.new.id) == ["b"])
        var waiting = busy("c").value
        waiting.mission?.stage = .arrived
        #expect(SimulatorState.isAtRest(waiting))
    }

    @Test func timeBeginsWhenTheMissionIsSeenAndFollowsTheSpeedFactor() throws {
        var state = owning(speedFactor: 10)
        state.see(idle("a"), nowMs: 0)
        state.see(busy("a"), nowMs: 50_000)
        let move = try #require(state.moves(nowMs: 51_000).first)
        #expect(move.milliseconds == 10_000)
        // Ten seconds of climb at 2.5 m/s.
        #expect(abs(move.new.altitudeM - 25) < 1e-9)
        state.written(Versioned(move.new, version: version(3)), at: 51_000)
        #expect(state.moves(nowMs: 51_000).isEmpty)
        #expect(try #require(state.moves(nowMs: 52_000).first).new.altitudeM > 49)
    }

    @Test func whatSomebodyElseWroteIsFlownFromThere() throws {
        var state = owning()
        state.see(busy("a"), nowMs: 0)
        let mine = try #require(state.moves(nowMs: 1_000).first)
        // A dispatcher took the mission away meanwhile: nothing is left to write.
        let theirs = Versioned(idle("a").value, version: version(7))
        state.see(theirs, nowMs: 1_000)
        #expect(state.move(theirs, milliseconds: mine.milliseconds) == nil)
        // An operator changed the battery: the same second is flown with that.
        var patched = busy("a").value
        patched.battery = 55
        let again = try #require(state.move(Versioned(patched, version: version(8)), milliseconds: 1_000))
        #expect(again.new.battery < 55 && again.new.battery > 54.5)
        #expect(again.old.version == version(8))
    }

    @Test func olderVersionsAndUnknownOutcomesAreHandled() {
        var state = owning()
        state.see(busy("a", at: 5), nowMs: 0)
        state.see(idle("a", at: 4), nowMs: 0)
        #expect(state.drone("a")?.status == .busy)
        state.unknown("a", at: 1_000)
        #expect(state.moves(nowMs: 2_000).isEmpty)
        #expect(state.staleIDs == ["a"])
        state.see(busy("a", at: 5), nowMs: 3_000)
        #expect(state.moves(nowMs: 3_500).map(\.milliseconds) == [2_500])
        state.gone("a")
        #expect(state.count == 0)
    }

    @Test func slotsDecideWhoseDroneItIs() {
        var state = SimulatorState(settings: FleetSettings(), city: .rome, speedFactor: 1, slots: 4)
        let ids = (0..<40).map { "d\($0)" }
        for id in ids { state.see(busy(id), nowMs: 0) }
        #expect(state.count == 0)
        state.own(slot: 2)
        for id in ids { state.see(busy(id), nowMs: 0) }
        let mine = ids.filter { FleetShare.slot(of: $0, slots: 4) == 2 }
        #expect(state.droneIDs == mine && !mine.isEmpty && mine.count < 40)
        state.disown(slot: 2)
        #expect(state.count == 0)
    }

    @Test func sharesAreDisjointCompleteAndMoveLittle() {
        let three = ["a", "b", "c"]
        let shares = three.map { FleetShare.slots(of: $0, among: three, slots: 64) }
        #expect(shares.flatMap { $0 }.sorted() == Array(0..<64))
        #expect(shares.allSatisfy { $0.count > 8 })
        // Without c, a and b keep what they had.
        for (place, name) in ["a", "b"].enumerated() {
            let now = FleetShare.slots(of: name, among: ["a", "b"], slots: 64)
            #expect(Set(shares[place]).isSubset(of: now))
        }
        #expect(FleetShare.slots(of: "a", among: [], slots: 5) == [0, 1, 2, 3, 4])
    }

    // MARK: Outbox

    func entry(_ name: String, position: Bool = true) -> EventOutbox.Entry {
        .init(record: Record(key: Array(name.utf8), value: [], timestampMs: 0), isPositionOnly: position)
    }

    func names(_ entries: [EventOutbox.Entry]) -> [String] {
        entries.map { String(decoding: $0.record.key ?? [], as: UTF8.self) }
    }

    @Test func theOutboxDropsTheOldestPositionsFirstAndNothingElse() {
        var outbox = EventOutbox(capacity: 3)
        outbox.append(entry("pick-up", position: false))
        outbox.append(entry("p1"))
        outbox.append(entry("p2"))
        outbox.append(entry("p3"))
        outbox.append(entry("drop-off", position: false))
        #expect(outbox.positionsDropped == 2)
        #expect(names(outbox.take(max: 10)) == ["pick-up", "p3", "drop-off"])
        #expect(outbox.count == 0)
        for name in ["x", "y", "z"] { outbox.append(entry(name, position: false)) }
        let wasTaken = outbox.append(entry("w", position: false))
        #expect(!wasTaken && outbox.refused == 1)
        let position = outbox.append(entry("p"))
        #expect(!position && outbox.positionsDropped == 3)
        #expect(names(outbox.take(max: 2)) == ["x", "y"])
    }

    @Test func whatCouldNotBePublishedGoesBackToTheFront() {
        var outbox = EventOutbox(capacity: 4)
        for name in ["a", "b", "c"] { outbox.append(entry(name)) }
        let taken = outbox.take(max: 2)
        outbox.append(entry("d"))
        outbox.putBack(taken)
        #expect(names(outbox.take(max: 10)) == ["a", "b", "c", "d"])
        for name in ["a", "b", "c", "d"] { outbox.append(entry(name)) }
        let all = outbox.take(max: 3)
        outbox.append(entry("e"))
        outbox.putBack(all)
        #expect(outbox.positionsDropped == 1)
        #expect(names(outbox.take(max: 10)) == ["b", "c", "d", "e"])
    }

    @Test func theOutboxKeepsItsOrderOverManyRounds() {
        var outbox = EventOutbox(capacity: 5_000)
        var next = 0
        var seen: [String] = []
        for round in 0..<200 {
            for _ in 0..<37 {
                outbox.append(entry("\(next)"))
                next += 1
            }
            let taken = outbox.take(max: 40)
            if round % 7 == 0 { outbox.putBack(taken) } else { seen += names(taken) }
        }
        seen += names(outbox.take(max: 10_000))
        #expect(seen == (0..<next).map(String.init))
        #expect(outbox.positionsDropped == 0)
    }
}
