/// Settings of `stormo agent` that agents of both applications have.
enum AgentSettings {
    /// The agent's name.
    static let name = Setting.text(
        .agent, "name", bytesMax: 200,
        "Name of the agent, different for every running one. Not given: what it is, and eight random digits.")
    /// How fast simulated and replayed time passes.
    static let speed = Setting.number(
        .agent, "speed", default: 1, in: 0.01...1_000_000,
        "How much faster than real time drones fly, meters report, orders come in and files are replayed.")

    /// In the order of the reference.
    static let all: [SettingDefinition] = [name.definition, speed.definition]
}
