/// All settings there are.
enum SettingCatalogue {
    /// In the order of the reference.
    static let all: [SettingDefinition] =
        CommonSettings.all + NodeSettings.all + GatewaySettings.all + AgentSettings.all + DroneDispatchSettings.all
        + EnergyGuardSettings.all + UpSettings.all + BenchSettings.all
}
