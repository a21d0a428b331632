using System.Text.Json;
using Proxy.Demo;

namespace Proxy.Tests.Demo;

/// <summary>Reads DICOM JSON by keyword in tests.</summary>
internal static class DatasetReading
{
    public static JsonElement Attribute(this JsonElement dataset, string keyword) => dataset.GetProperty(DemoTag.Get(keyword).Name);

    public static JsonElement[] Values(this JsonElement dataset, string keyword) =>
        [.. dataset.Attribute(keyword).GetProperty("Value").EnumerateArray()];

    public static string Text(this JsonElement dataset, string keyword) => dataset.Values(keyword)[0].GetString()!;

    public static int Number(this JsonElement dataset, string keyword) => dataset.Values(keyword)[0].GetInt32();
}
