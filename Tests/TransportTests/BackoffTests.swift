import Testing
import Wire
import WireTransport

@Suite struct BackoffTests {
    @Test func pausesDoubleUpToTheLongest() {
        var backoff = Backoff(pauseMs: 50...2_000)
        // With all bits of the jitter at zero each pause is half of the doubled one.
        #expect((0..<8).map { _ in backoff.pause(jitter: 0) } == [25, 50, 100, 200, 400, 800, 1_000, 1_000])
        #expect(backoff.failures == 8)
        backoff.reset()
        #expect(backoff.pause(jitter: 25) == 50)
    }

    @Test func jitterStaysWithinHalfAndWhole() {
        for jitter in [0, 1, 777, UInt64.max] {
            var backoff = Backoff(pauseMs: 100...3_000)
            for whole in [100, 200, 400, 800, 1_600, 3_000] as [UInt64] {
                #expect((whole / 2...whole).contains(backoff.pause(jitter: jitter)))
            }
        }
    }

    @Test func manyFailuresDoNotOverflow() {
        var backoff = Backoff(pauseMs: 1...2_000)
        for _ in 0..<1_000 { #expect(backoff.pause(jitter: 3) <= 2_000) }
    }
}
