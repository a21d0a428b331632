using Proxy.Operations;

namespace Proxy.Security;

/// <summary>Settings for the end of the process, <c>Shutdown</c>; read at start.</summary>
/// <param name="Drain">The time that running requests have to end before their connections are closed. Default 30 s.</param>
public sealed record ShutdownOptions(TimeSpan Drain)
{
    /// <summary>The time after the drain, in which files are written and the cache folder is released.</summary>
    public static readonly TimeSpan Reserve = TimeSpan.FromSeconds(10);

    /// <summary>Reads the section <c>Shutdown</c>.</summary>
    public static ShutdownOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Shutdown", "Drain");
        return new(settings.ReadDuration("Shutdown:Drain", TimeSpan.FromSeconds(30), TimeSpan.Zero, TimeSpan.FromMinutes(10)));
    }
}
