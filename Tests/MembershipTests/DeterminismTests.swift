import Membership
import Testing
import Wire

@Suite struct DeterminismTests {
    private func trace(seed: UInt64) -> [String] {
        let network = VirtualNetwork(seed: seed)
        network.keepsTrace = true
        network.lossPerMille = 100
        network.addCluster(7)
        network.run(forMs: 5_000)
        network.kill(3, hint: true)
        network.pause(5)
        network.run(forMs: 5_000)
        network.resume(5)
        network.run(forMs: 5_000)
        network.give(.leave, to: 6)
        network.run(forMs: 2_000)
        return network.trace
    }

    @Test func theSameSeedGivesTheSameTrace() {
        let first = trace(seed: 42)
        #expect(first.count > 1_000)
        #expect(first == trace(seed: 42))
        #expect(first != trace(seed: 43))
    }
}
