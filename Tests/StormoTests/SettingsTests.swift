import Testing
import WireTransport

@testable import Stormo

/// Settings as a command with a few of them sees them.
@Suite struct SettingsTests {
    private static let count = Setting.integer(
        .node, "count", default: 3, in: 1...9, unit: "things", aliases: [EnvironmentAlias("OLD_COUNT")], "How many.")
    private static let pause = Setting.duration(
        .node, "pause", default: "30s", in: 1_000...3_600_000, aliases: [EnvironmentAlias("PAUSE_SECS", suffix: "s")],
        "How long.")
    private static let token = Setting.text(.gateway, "token", channels: .secret, "A secret.")
    private static let place = Setting.address(.node, "place", "Where.")
    private static let verbose = Setting.toggle(.node, "verbose", "Say more.")
    private static let names = Setting.list(.node, "names", of: "a name", "Names.") { $0.isEmpty ? nil : $0 }
    private static let all = [
        count.definition, pause.definition, token.definition, place.definition, verbose.definition, names.definition,
    ]

    private func resolve(
        flags: [String: String] = [:], environment: [String: String] = [:], file: String = ""
    ) throws -> ResolvedSettings {
        try ResolvedSettings(
            Self.all, catalogue: Self.all, flags: flags, environment: environment,
            file: try ConfigurationFile(text: file, path: "stormo.yaml", known: Self.all))
    }

    private func problem(
        flags: [String: String] = [:], environment: [String: String] = [:], file: String = ""
    ) -> String {
        do {
            _ = try resolve(flags: flags, environment: environment, file: file)
            return "nothing was wrong"
        } catch { return "\(error)" }
    }

    @Test func `a flag wins over the environment, that over the file, that over the default`() throws {
        let file = "node:\n  count: 4\n"
        let environment = ["STORMO_NODE_COUNT": "5"]
        let flags = ["node.count": "6"]
        #expect(try resolve().value(Self.count) == 3)
        #expect(try resolve(file: file).value(Self.count) == 4)
        #expect(try resolve(environment: environment, file: file).value(Self.count) == 5)
        #expect(try resolve(flags: flags, environment: environment, file: file).value(Self.count) == 6)
    }

    @Test func `names of the source systems are taken, below the setting's own`() throws {
        #expect(try resolve(environment: ["OLD_COUNT": "7"]).value(Self.count) == 7)
        #expect(try resolve(environment: ["OLD_COUNT": "7", "STORMO_NODE_COUNT": "8"]).value(Self.count) == 8)
        #expect(try resolve(environment: ["OLD_COUNT": "7"], file: "node: {count: 2}").value(Self.count) == 7)
    }

    @Test func `a bare number has the unit that its name had`() throws {
        #expect(try resolve(environment: ["PAUSE_SECS": "90"]).value(Self.pause) == 90_000)
        #expect(try resolve(environment: ["STORMO_NODE_PAUSE": "90"]).value(Self.pause) == 90_000)
        #expect(try resolve(environment: ["STORMO_NODE_PAUSE": "1500ms"]).value(Self.pause) == 1_500)
        #expect(try resolve(environment: ["STORMO_NODE_PAUSE": "1.5m"]).value(Self.pause) == 90_000)
    }

    @Test func `an unknown key names its line and the nearest key`() {
        let told = problem(file: "node:\n  count: 4\n  coutn: 5\n")
        #expect(told.contains("stormo.yaml:3"))
        #expect(told.contains("\"node.coutn\""))
        #expect(told.contains("did you mean \"node.count\"?"))
    }

    @Test func `a key without its section is found`() {
        #expect(problem(file: "count: 4\n").contains("did you mean \"node.count\"?"))
    }

    @Test func `an unknown section is told`() {
        #expect(problem(file: "noed:\n  count: 4\n").contains("no setting is called \"noed\""))
    }

    @Test func `an unknown variable names the nearest variable`() {
        let told = problem(environment: ["STORMO_NODE_COUTN": "4"])
        #expect(told.contains("STORMO_NODE_COUTN"))
        #expect(told.contains("did you mean \"STORMO_NODE_COUNT\"?"))
        #expect(problem(environment: ["STORMO_COUNT": "4"]).contains("did you mean \"STORMO_NODE_COUNT\"?"))
    }

    @Test func `other programs' variables are nobody's business`() throws {
        #expect(try resolve(environment: ["PATH": "/bin", "STORMOGRAPH": "1"]).value(Self.count) == 3)
    }

    @Test func `a name far from every other gets no suggestion`() {
        #expect(!problem(file: "colour_of_the_roof: 4\n").contains("did you mean"))
    }

    @Test(arguments: ["0", "10", "-1", "3.5", "three", "", "99999999999999999999"])
    func `a number out of range says setting, value, range and origin`(_ text: String) {
        let told = problem(flags: ["node.count": text])
        #expect(told == "node.count is \"\(text)\" (--count): expected a whole number from 1 to 9 things")
    }

    @Test func `the origin of a wrong value is told`() {
        #expect(problem(file: "\nnode:\n  count: 12\n").contains("(stormo.yaml:3)"))
        #expect(problem(environment: ["OLD_COUNT": "12"]).contains("(environment OLD_COUNT)"))
        #expect(problem(environment: ["STORMO_NODE_COUNT": "12"]).contains("(environment STORMO_NODE_COUNT)"))
    }

    @Test(arguments: ["500ms", "2h", "5 parsecs", "-3s", "s", "1e400s"])
    func `a duration out of range or without sense is refused`(_ text: String) {
        #expect(problem(flags: ["node.pause": text]).contains("expected 1s to 1h, as in 250ms"))
    }

    @Test(arguments: ["127.0.0.1", ":80", "host:", "host:65536", "host:-1", "::1:80", "[::1]", "a b:1", "http://h:1"])
    func `an address needs host and port`(_ text: String) {
        #expect(problem(flags: ["node.place": text]).contains("expected host:port"))
    }

    @Test func `addresses are read`() throws {
        #expect(
            try resolve(flags: ["node.place": "[::1]:7400"]).value(Self.place) == HostPort(host: "::1", port: 7_400))
        #expect(
            try resolve(flags: ["node.place": "node-1.local:1"]).value(Self.place)
                == HostPort(host: "node-1.local", port: 1))
        #expect(HostPort(given: "[::1]:7400")?.description == "[::1]:7400")
    }

    @Test func `a secret cannot be a flag and is never shown`() {
        #expect(!Self.token.definition.channels.contains(.flag))
        let told = problem(environment: ["STORMO_GATEWAY_TOKEN": ""])
        #expect(told.contains("gateway.token"))
        #expect(
            !problem(environment: ["STORMO_GATEWAY_TOKEN": String(repeating: "hush", count: 1_000)]).contains("hush"))
    }

    @Test func `lists are written with commas or as lists`() throws {
        #expect(try resolve(flags: ["node.names": "a, b,c"]).value(Self.names) == ["a", "b", "c"])
        #expect(try resolve(file: "node:\n  names: [a, b]\n").value(Self.names) == ["a", "b"])
        #expect(problem(flags: ["node.names": "a,,b"]).contains("separated by commas"))
        #expect(problem(flags: ["node.names": "a,b,a"]).contains("each once"))
    }

    @Test func `a switch takes the usual words`() throws {
        #expect(try resolve().value(Self.verbose) == false)
        #expect(try resolve(file: "node: {verbose: true}").value(Self.verbose))
        #expect(problem(file: "node: {verbose: maybe}").contains("expected true or false"))
    }

    @Test func `a setting that is needed says how to give it`() throws {
        let settings = try resolve()
        #expect(try settings.optional(Self.place) == nil)
        #expect {
            try settings.value(Self.place)
        } throws: { error in
            "\(error)" == "node.place is needed: give --place, STORMO_NODE_PLACE, node.place in the configuration file"
        }
    }

    @Test(arguments: [
        "- a\n- b\n", "just text", "node: 4", "node:\n  count:\n    deep: 1\n", "node:\n  count:\n", "a: [",
        "node: {count: 1, count: 2}",
    ])
    func `a file that is no settings file is told in one line`(_ text: String) {
        let told = problem(file: text)
        #expect(told.hasPrefix("configuration file stormo.yaml"))
        #expect(!told.contains("\n"))
    }

    @Test func `an empty file is fine`() throws {
        #expect(try resolve(file: "").value(Self.count) == 3)
        #expect(try resolve(file: "# nothing\n").value(Self.count) == 3)
        #expect(try resolve(file: "node:\n").value(Self.count) == 3)
    }

    @Test func `a missing file is told`() {
        #expect {
            try ConfigurationFile(path: "/nonexistent/stormo.yaml", known: Self.all)
        } throws: { "\($0)" == "configuration file /nonexistent/stormo.yaml: No such file or directory" }
    }
}
