using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>Settings for the retrieval of whole studies.</summary>
/// <param name="AllowPartial">
/// True to serve a whole study without the series that only failed backends hold. Default: false, the answer is 503.
/// </param>
public sealed record RetrieveOptions(bool AllowPartial)
{
    /// <summary>Reads the section <c>Retrieve</c>.</summary>
    public static RetrieveOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Retrieve", "AllowPartial");
        return new(settings.ReadFlag("Retrieve:AllowPartial", false));
    }
}
