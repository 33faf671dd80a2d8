/// Settings of `stormo agent`, by application.
enum AgentSettings {
    /// How fast simulated and replayed time passes.
    static let speed = Setting.number(
        .agent, "speed", default: 1, in: 0.01...1_000_000,
        "How much faster than real time simulators run and files are replayed.")

    /// Keys of the settings that name a file to replay: two agents have one each, under the same flag.
    static let replays: Set<String> = []

    /// In the order of the reference.
    static let all: [SettingDefinition] = [speed.definition]
}
