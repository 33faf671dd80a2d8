import Simulation
import Testing

@Suite struct LinearizabilityTests {
    private func operation(_ kind: RegisterOperation.Kind, _ invoked: UInt64, _ returned: UInt64) -> RegisterOperation {
        RegisterOperation(kind: kind, invokedMs: invoked, returnedMs: returned)
    }

    @Test func acceptsAReadThatOverlapsAWriteEitherWay() {
        for seen in [nil, 1] {
            #expect(Linearizability.holds([operation(.write(1), 0, 10), operation(.read(seen), 5, 6)]))
        }
    }

    @Test func refusesAReadOfTheOldValueAfterTheWriteReturned() {
        #expect(!Linearizability.holds([operation(.write(1), 0, 10), operation(.read(nil), 11, 12)]))
    }

    @Test func refusesAValueThatComesBack() {
        #expect(
            !Linearizability.holds([
                operation(.write(1), 0, 1), operation(.write(2), 2, 3), operation(.read(2), 4, 5),
                operation(.read(1), 6, 7),
            ]))
    }

    @Test func letsAnUnknownWriteTakeEffectLateOnceOrNever() {
        let history = [operation(.write(1), 0, 1), operation(.write(2), 2, .max), operation(.read(1), 4, 5)]
        #expect(Linearizability.holds(history))
        #expect(Linearizability.holds(history + [operation(.read(2), 6, 7)]))
        #expect(!Linearizability.holds(history + [operation(.read(2), 6, 7), operation(.read(1), 8, 9)]))
    }

    @Test func refusesTwoWinnersOfOneComparison() {
        #expect(
            !Linearizability.holds([
                operation(.compareAndSet(expected: nil, new: 1), 0, 5),
                operation(.compareAndSet(expected: nil, new: 2), 0, 5),
            ]))
    }
}
