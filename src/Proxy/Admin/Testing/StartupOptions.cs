using Proxy.Operations;

namespace Proxy.Admin.Testing;

/// <summary>Settings for the start of the process, <c>Startup</c>; read at start.</summary>
/// <param name="TestBackends">Whether every backend is tested once when the server has started. Default true.</param>
public sealed record StartupOptions(bool TestBackends)
{
    /// <summary>Whether the code of requests is made ready before the server listens. Default true.</summary>
    public bool WarmUp { get; init; } = true;

    /// <summary>Reads the section <c>Startup</c>.</summary>
    public static StartupOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Startup", "TestBackends", "WarmUp");
        return new(settings.ReadFlag("Startup:TestBackends", true))
        {
            WarmUp = settings.ReadFlag("Startup:WarmUp", true),
        };
    }
}
