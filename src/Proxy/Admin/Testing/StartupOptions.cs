using Proxy.Operations;

namespace Proxy.Admin.Testing;

/// <summary>Settings for the start of the process, <c>Startup</c>; read at start.</summary>
/// <param name="TestBackends">Whether every backend is tested once when the server has started. Default true.</param>
public sealed record StartupOptions(bool TestBackends)
{
    /// <summary>Reads the section <c>Startup</c>.</summary>
    public static StartupOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Startup", "TestBackends");
        return new(settings.ReadFlag("Startup:TestBackends", true));
    }
}
