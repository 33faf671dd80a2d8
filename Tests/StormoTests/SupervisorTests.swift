import Testing

@testable import Stormo

@Suite struct RestartPolicyTests {
    private let policy = RestartPolicy(pauseMs: 200, pauseMaxMs: 10_000)

    @Test func `pauses double up to the longest`() {
        #expect((0..<8).map { policy.pause(deaths: $0) } == [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
        #expect(policy.pause(deaths: .max) == 10_000)
    }

    @Test func `a child that ran long enough begins anew`() {
        let died = ChildExit.signal(9)
        #expect(policy.verdict(status: died, isAgent: false, ranMs: 100, deaths: 3) == .restart(afterMs: 1_600))
        #expect(policy.verdict(status: died, isAgent: false, ranMs: 30_000, deaths: 3) == .restart(afterMs: 200))
    }

    @Test func `wrong configuration is not tried again, an agent may finish`() {
        #expect(policy.verdict(status: .code(78), isAgent: false, ranMs: 5, deaths: 0) == .hopeless)
        #expect(policy.verdict(status: .code(64), isAgent: true, ranMs: 5, deaths: 0) == .hopeless)
        #expect(policy.verdict(status: .code(0), isAgent: true, ranMs: 5, deaths: 0) == .finished)
        #expect(policy.verdict(status: .code(0), isAgent: false, ranMs: 5, deaths: 0) == .restart(afterMs: 200))
        #expect(policy.verdict(status: .code(1), isAgent: true, ranMs: 5, deaths: 0) == .restart(afterMs: 200))
    }

    @Test func `what the system says of an end is read`() {
        #expect(ChildExit(waitStatus: 0) == .code(0))
        #expect(ChildExit(waitStatus: 78 << 8) == .code(78))
        #expect(ChildExit(waitStatus: 9) == .signal(9))
        #expect(ChildExit(waitStatus: 11 | 0x80) == .signal(11))
    }
}

/// Two nodes (0, 1), a gateway (2) and an agent (3).
@Suite struct SupervisorCoreTests {
    private func core() -> SupervisorCore {
        SupervisorCore(
            children: [
                .init(name: "node-1", tier: .node), .init(name: "node-2", tier: .node),
                .init(name: "gateway-1", tier: .gateway),
                .init(name: "dispatcher", tier: .agent),
            ], policy: RestartPolicy(pauseMs: 100, pauseMaxMs: 1_000), graceMs: 5_000)
    }

    private func running() -> SupervisorCore {
        var core = core()
        _ = core.handle(.start, nowMs: 0)
        _ = core.handle(.clusterReady, nowMs: 10)
        for child in 0..<4 { _ = core.handle(.spawned(child: child), nowMs: 10) }
        return core
    }

    /// What is done, without what is said.
    private func deeds(_ outputs: [SupervisorOutput]) -> [SupervisorOutput] {
        outputs.filter { if case .say = $0 { false } else { true } }
    }

    private func words(_ outputs: [SupervisorOutput]) -> String {
        outputs.compactMap { if case .say(let text) = $0 { text } else { nil } }.joined(separator: "\n")
    }

    @Test func `nodes start first, the others when the cluster answers, once`() {
        var core = core()
        #expect(core.handle(.start, nowMs: 0) == [.spawn(child: 0), .spawn(child: 1)])
        #expect(core.handle(.clusterReady, nowMs: 5) == [.spawn(child: 2), .spawn(child: 3)])
        #expect(core.handle(.clusterReady, nowMs: 6) == [])
    }

    @Test func `without nodes everything starts at once`() {
        var core = SupervisorCore(
            children: [.init(name: "gateway-1", tier: .gateway)], policy: RestartPolicy(), graceMs: 1)
        #expect(core.handle(.start, nowMs: 0) == [.spawn(child: 0)])
    }

    @Test func `a child that dies is started again after growing pauses, and people are told`() {
        var core = running()
        var pauses: [SupervisorOutput] = []
        var said = ""
        var now: UInt64 = 20
        for _ in 0..<5 {
            let outputs = core.handle(.exited(child: 1, .signal(9)), nowMs: now)
            said += words(outputs)
            pauses += deeds(outputs)
            now += 50
            #expect(core.handle(.restartDue(child: 1), nowMs: now) == [.spawn(child: 1)])
            _ = core.handle(.spawned(child: 1), nowMs: now)
        }
        #expect(pauses == [100, 200, 400, 800, 1_000].map { .restartTimer(child: 1, afterMs: $0) })
        #expect(said.contains("node-2 died (signal 9"))
        #expect(core.children[1].restarts == 5)
    }

    @Test func `after a healthy run the pauses begin anew`() {
        var core = running()
        _ = core.handle(.exited(child: 1, .code(1)), nowMs: 20)
        _ = core.handle(.restartDue(child: 1), nowMs: 120)
        _ = core.handle(.spawned(child: 1), nowMs: 120)
        let first = core.handle(.exited(child: 1, .code(1)), nowMs: 120 + 3_000)
        #expect(deeds(first) == [.restartTimer(child: 1, afterMs: 100)])
        _ = core.handle(.restartDue(child: 1), nowMs: 3_300)
        _ = core.handle(.spawned(child: 1), nowMs: 3_300)
        #expect(
            deeds(core.handle(.exited(child: 1, .code(1)), nowMs: 3_301)) == [.restartTimer(child: 1, afterMs: 200)])
    }

    @Test func `stops agents, then gateways, then nodes`() {
        var core = running()
        #expect(core.handle(.stop, nowMs: 100) == [.terminate(child: 3), .graceTimer(.agent, afterMs: 5_000)])
        #expect(
            core.handle(.exited(child: 3, .code(0)), nowMs: 110) == [
                .terminate(child: 2), .graceTimer(.gateway, afterMs: 5_000),
            ])
        #expect(
            core.handle(.exited(child: 2, .signal(15)), nowMs: 120)
                == [.terminate(child: 0), .terminate(child: 1), .graceTimer(.node, afterMs: 5_000)])
        #expect(core.handle(.exited(child: 0, .code(0)), nowMs: 130) == [])
        #expect(core.handle(.exited(child: 1, .code(0)), nowMs: 140) == [.finished(code: 0)])
    }

    @Test func `what does not stop in time is ended, and only then the next tier is asked`() {
        var core = running()
        _ = core.handle(.stop, nowMs: 100)
        let late = core.handle(.graceOver(.agent), nowMs: 5_100)
        #expect(deeds(late) == [.kill(child: 3)])
        #expect(words(late).contains("dispatcher did not stop within 5s"))
        #expect(deeds(core.handle(.exited(child: 3, .signal(9)), nowMs: 5_101)).first == .terminate(child: 2))
        // The timer of a tier that is done means nothing.
        #expect(core.handle(.graceOver(.agent), nowMs: 5_200) == [])
    }

    @Test func `asked twice, it ends everything at once`() {
        var core = running()
        _ = core.handle(.stop, nowMs: 100)
        #expect(core.handle(.stop, nowMs: 200) == [.kill(child: 0), .kill(child: 1), .kill(child: 2), .kill(child: 3)])
        for child in 0..<3 {
            #expect(!core.handle(.exited(child: child, .signal(9)), nowMs: 210).contains(.finished(code: 0)))
        }
        #expect(core.handle(.exited(child: 3, .signal(9)), nowMs: 220).contains(.finished(code: 0)))
    }

    @Test func `nothing is restarted while stopping`() {
        var core = running()
        _ = core.handle(.exited(child: 2, .signal(11)), nowMs: 20)
        _ = core.handle(.stop, nowMs: 30)
        #expect(core.handle(.restartDue(child: 2), nowMs: 120) == [])
        #expect(core.handle(.clusterReady, nowMs: 130) == [])
    }

    @Test func `a child that was being started when the word came is stopped too`() {
        var core = core()
        _ = core.handle(.start, nowMs: 0)
        _ = core.handle(.spawned(child: 0), nowMs: 1)
        #expect(core.handle(.stop, nowMs: 2) == [.terminate(child: 0), .graceTimer(.node, afterMs: 5_000)])
        #expect(core.handle(.spawned(child: 1), nowMs: 3) == [.terminate(child: 1)])
        _ = core.handle(.exited(child: 0, .code(0)), nowMs: 4)
        #expect(core.handle(.exited(child: 1, .code(0)), nowMs: 5) == [.finished(code: 0)])
    }

    @Test func `a child that refuses its configuration stops everything`() {
        var core = running()
        let outputs = core.handle(.exited(child: 2, .code(78)), nowMs: 20)
        #expect(words(outputs).contains("gateway-1 refuses to start"))
        #expect(deeds(outputs) == [.terminate(child: 3), .graceTimer(.agent, afterMs: 5_000)])
        for child in [3, 0] { _ = core.handle(.exited(child: child, .code(0)), nowMs: 30) }
        #expect(core.handle(.exited(child: 1, .code(0)), nowMs: 40).contains(.finished(code: 1)))
    }

    @Test func `a child that cannot be started at first stops everything, later it is tried again`() {
        var core = core()
        _ = core.handle(.start, nowMs: 0)
        _ = core.handle(.spawned(child: 0), nowMs: 1)
        #expect(
            deeds(core.handle(.spawnFailed(child: 1, reason: "no such file"), nowMs: 2)).first == .terminate(child: 0))
        var later = running()
        _ = later.handle(.exited(child: 1, .signal(9)), nowMs: 20)
        _ = later.handle(.restartDue(child: 1), nowMs: 120)
        let outputs = later.handle(.spawnFailed(child: 1, reason: "out of memory"), nowMs: 121)
        #expect(deeds(outputs) == [.restartTimer(child: 1, afterMs: 200)])
    }

    @Test func `an agent may come to its end`() {
        var core = running()
        let outputs = core.handle(.exited(child: 3, .code(0)), nowMs: 20)
        #expect(deeds(outputs) == [])
        #expect(words(outputs) == "dispatcher has finished")
    }
}
