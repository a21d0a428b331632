using System.Text.Encodings.Web;
using System.Text.Json;

namespace Proxy.Cli;

/// <summary>How commands write JSON.</summary>
internal static class Json
{
    /// <summary>Indented, with quotes and letters of all scripts as they are: it is read by people, and never embedded in HTML.</summary>
    public static readonly JsonSerializerOptions Indented = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}
