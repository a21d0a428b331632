using System.Text;
using System.Text.Json;

namespace Proxy.Viewing;

/// <summary>The script that shows in OHIF which PACS did not answer.</summary>
internal static class OutageBanner
{
    private static readonly string Script = Read();

    /// <summary>The script for one address of the proxy, as a statement.</summary>
    /// <param name="address">The address of the proxy as the client used it.</param>
    public static string GetScript(string address) => $"{Script}({JsonSerializer.Serialize(address)});\n";

    private static string Read()
    {
        using var stream = typeof(OutageBanner).Assembly.GetManifestResourceStream("viewing/banner.js")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().TrimEnd();
    }
}
