using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>How whole studies are retrieved.</summary>
/// <param name="AllowPartial">
/// Whether a whole study is given without the series that only failed backends hold. Default: false, the answer is 503.
/// </param>
public sealed record RetrieveOptions(bool AllowPartial)
{
    public static RetrieveOptions Read(SettingsReader settings)
    {
        settings.RefuseOthers("Retrieve", "AllowPartial");
        return new(settings.ReadFlag("Retrieve:AllowPartial", false));
    }
}
