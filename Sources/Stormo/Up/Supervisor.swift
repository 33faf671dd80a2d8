import NodeCore
import NodeShell
import StormoClient
import UnixSignals
import Wire
import WireTransport

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Runs the children of `stormo up`: does what ``SupervisorCore`` decides, tells it what happens, and tells people.
final class Supervisor: Sendable {
    private enum Event: Sendable {
        case core(SupervisorInput)
        case tick
    }

    /// How often the status line is renewed, in milliseconds.
    private static let tickMs = 1_000
    /// After how many ticks without an answer of the nodes people are told that it takes long.
    private static let patienceTicks = 15

    private let plan: UpPlan
    private let directory: UpDirectory
    private let environment: [String: String]
    private let client: StormoClient
    private let lifeline: LifelinePipe
    private let executable = ChildProcess.ownExecutable()

    /// A supervisor of a plan's children, which all get `environment`. `client` watches the cluster.
    init(
        plan: UpPlan, directory: UpDirectory, environment: [String: String], client: StormoClient
    ) throws(FileError) {
        self.plan = plan
        self.directory = directory
        self.environment = environment
        self.client = client
        lifeline = try LifelinePipe()
    }

    /// Runs until somebody asks it to stop and all children are gone. The result is the exit code.
    func run(policy: RestartPolicy, graceMs: UInt64) async -> Int32 {
        let signals = await UnixSignalsSequence(trapping: [.sigint, .sigterm, .sighup])
        // Unbounded, since an exit must not be lost; its content is bounded by the children, the ticks and the signals.
        let (events, source) = AsyncStream.makeStream(of: Event.self)
        let helpers = [
            Task { for await _ in signals { source.yield(.core(.stop)) } },
            Task {
                while !Task.isCancelled {
                    try await Task.sleep(for: .milliseconds(Self.tickMs))
                    source.yield(.tick)
                }
            },
            Task { try await client.run() },
            Task {
                while !Task.isCancelled {
                    do {
                        try await client.waitUntilReady(timeoutMs: 5_000)
                        source.yield(.core(.clusterReady))
                        return
                    } catch { try await Task.sleep(for: .milliseconds(100)) }
                }
            },
        ]
        defer { for helper in helpers { helper.cancel() } }
        var run = Run(
            core: SupervisorCore(
                children: plan.children.map { SupervisorCore.Child(name: $0.name, tier: $0.tier) }, policy: policy,
                graceMs: graceMs),
            startedMs: SystemClock.now.monotonicMs)
        if perform(run.core.handle(.start, nowMs: SystemClock.now.monotonicMs), &run, source) { return run.exitCode }
        for await event in events {
            switch event {
            case .core(let input):
                note(input, &run)
                if perform(run.core.handle(input, nowMs: SystemClock.now.monotonicMs), &run, source) { break }
            case .tick: tick(&run)
            }
            if run.isOver { break }
        }
        run.line.clear()
        return run.exitCode
    }

    /// What changes while it runs.
    private struct Run {
        var core: SupervisorCore
        let startedMs: UInt64
        var pids: [Int: Int32] = [:]
        var line = LiveLine(onError: false)
        var lastStable = ""
        var lastProcessorUs: UInt64?
        var ticks = 0
        var isReady = false
        var shownAddresses = false
        var isOver = false
        var exitCode: Int32 = 0

        init(core: SupervisorCore, startedMs: UInt64) {
            self.core = core
            self.startedMs = startedMs
        }
    }

    // MARK: Doing what was decided

    /// True when it is over.
    private func perform(
        _ outputs: [SupervisorOutput], _ run: inout Run, _ source: AsyncStream<Event>.Continuation
    ) -> Bool {
        for output in outputs {
            switch output {
            case .spawn(let child):
                let input = spawn(child, &run, source)
                if perform(run.core.handle(input, nowMs: SystemClock.now.monotonicMs), &run, source) { return true }
            case .terminate(let child): if let pid = run.pids[child] { kill(pid, SIGTERM) }
            case .kill(let child): if let pid = run.pids[child] { kill(pid, SIGKILL) }
            case .restartTimer(let child, let afterMs): timer(afterMs, .restartDue(child: child), source)
            case .graceTimer(let tier, let afterMs): timer(afterMs, .graceOver(tier), source)
            case .say(let text): say(text, &run)
            case .finished(let code):
                run.isOver = true
                run.exitCode = code
                return true
            }
        }
        return run.isOver
    }

    private func spawn(
        _ child: Int, _ run: inout Run, _ source: AsyncStream<Event>.Continuation
    ) -> SupervisorInput {
        let planned = plan.children[child]
        let command = ChildCommand(
            executable: executable, arguments: planned.arguments, environment: environment,
            logPath: directory.logPath(planned.name))
        do {
            run.pids[child] = try ChildProcess.spawn(command, lifeline: lifeline) { status in
                source.yield(.core(.exited(child: child, status)))
            }
        } catch { return .spawnFailed(child: child, reason: error.description) }
        saveState(run)
        return .spawned(child: child)
    }

    private func timer(_ afterMs: UInt64, _ input: SupervisorInput, _ source: AsyncStream<Event>.Continuation) {
        Task {
            try await Task.sleep(for: .milliseconds(Int64(clamping: afterMs)))
            source.yield(.core(input))
        }
    }

    private func note(_ input: SupervisorInput, _ run: inout Run) {
        switch input {
        case .exited(let child, let status):
            run.pids[child] = nil
            saveState(run)
            guard case .code(let code) = status, code == CommandExit.usage || code == CommandExit.configuration else {
                return
            }
            if let reason = lastLine(of: directory.logPath(plan.children[child].name)) {
                say("\(plan.children[child].name): \(reason)", &run)
            }
        case .clusterReady: run.isReady = true
        case .stop:
            if !run.core.isStopping {
                say("stopping: agents, then gateways, then nodes (again to end them at once)", &run)
            }
        default: return
        }
    }

    private func saveState(_ run: Run) {
        var state = plan.state
        state.supervisor = run.isOver ? nil : getpid()
        state.processes = run.pids.sorted { $0.key < $1.key }.map {
            UpState.Process(name: plan.children[$0.key].name, pid: $0.value)
        }
        do { try directory.save(state) } catch { Console.error("stormo up: \(error)") }
    }

    private func lastLine(of path: String) -> String? {
        guard let bytes = try? Files.read(path, bytesMax: 64 << 20) else { return nil }
        return String(decoding: bytes.suffix(4_096), as: UTF8.self).split(whereSeparator: \.isNewline).last.map(
            String.init)
    }

    // MARK: Telling people

    private func say(_ text: String, _ run: inout Run) {
        run.line.clear()
        Console.line("\(Timestamp.rfc3339(milliseconds: SystemClock.now.wallMs)) \(text)")
    }

    private func tick(_ run: inout Run) {
        run.ticks += 1
        if !run.isReady, run.ticks == Self.patienceTicks {
            say("the nodes do not form a cluster yet; their logs in \(directory.logsPath) may say why", &run)
        }
        if !run.shownAddresses, run.isReady, plan.state.gatewayPorts.allSatisfy({ Ports.answers($0) }) {
            run.shownAddresses = true
            for text in addresses { say(text, &run) }
        }
        let status = status(&run)
        if run.line.isLive {
            run.line.show(status.text)
        } else if !run.core.isStopping, status.stable != run.lastStable {
            run.lastStable = status.stable
            say(status.stable, &run)
        }
    }

    private var addresses: [String] {
        guard let port = plan.state.gatewayPorts.first else { return ["ready: nodes at \(plan.state.seeds)"] }
        let url = "http://127.0.0.1:\(port)"
        return [
            "ready: \(url)/dashboard (fleet), \(url)/dashboard/energy, \(url)/dashboard/cluster",
            "stop with Ctrl-C; `stormo up` over the same data goes on from here",
        ]
    }

    private func status(_ run: inout Run) -> UpStatusLine {
        let cluster = client.cluster
        let times = run.pids.values.compactMap { ProcessTimes.of($0) }
        let processorUs = times.reduce(0) { $0 + $1.processorUs }
        defer { run.lastProcessorUs = processorUs }
        // A child that ended took its times with it: nothing to show for this interval.
        let percent = run.lastProcessorUs.flatMap { last in
            processorUs >= last ? Int((processorUs - last) / UInt64(Self.tickMs * 10)) : nil
        }
        let running = run.pids.keys.map { plan.children[$0].tier }
        let alive = cluster?.members.filter { $0.identity.role == .node && $0.state == .alive }.count ?? 0
        return UpStatusLine(
            elapsedMs: SystemClock.now.monotonicMs - run.startedMs, nodesAlive: alive,
            nodes: plan.state.nodePorts.count,
            epoch: cluster?.ring?.epoch.rawValue, gatewaysRunning: running.filter { $0 == .gateway }.count,
            gateways: plan.state.gatewayPorts.count, agentsRunning: running.filter { $0 == .agent }.count,
            agents: plan.children.filter { $0.tier == .agent }.count,
            restarts: run.core.children.reduce(0) { $0 + $1.restarts },
            processorPercent: percent, residentBytes: times.reduce(0) { $0 + $1.residentBytes })
    }
}
